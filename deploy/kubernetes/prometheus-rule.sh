#!/bin/sh
# Prints deploy/prometheus/rules.yaml as the object that the Prometheus operator takes:
#   sh deploy/kubernetes/prometheus-rule.sh | kubectl apply --namespace darwin-worker -f -
set -eu
cat <<'YAML'
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: darwin-worker
  labels:
    app.kubernetes.io/name: darwin-worker
spec:
YAML
sed 's/^./  &/' "$(dirname "$0")/../prometheus/rules.yaml"
