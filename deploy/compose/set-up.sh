#!/bin/sh
# What a user sets up once in AWS: a queue with a dead-letter queue, a bucket, and its notification.
set -eu
queue=arn:aws:sqs:us-east-1:000000000000
awslocal sqs create-queue --queue-name uploads-dead --attributes MessageRetentionPeriod=1209600
awslocal sqs create-queue --queue-name uploads --attributes "$(cat <<JSON
{"MessageRetentionPeriod": "1209600",
 "RedrivePolicy": "{\"deadLetterTargetArn\": \"$queue:uploads-dead\", \"maxReceiveCount\": 10}"}
JSON
)"
awslocal s3 mb s3://media
awslocal s3api put-bucket-notification-configuration --bucket media --notification-configuration "$(cat <<JSON
{"QueueConfigurations": [{"QueueArn": "$queue:uploads", "Events": ["s3:ObjectCreated:*"],
  "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "incoming/"}]}}}]}
JSON
)"
