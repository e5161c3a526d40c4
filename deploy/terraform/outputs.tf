output "queue_url" {
  description = "For WORKER_QUEUE__URL."
  value       = aws_sqs_queue.events.url
}

output "queue_arn" {
  value = aws_sqs_queue.events.arn
}

output "queue_name" {
  value = aws_sqs_queue.events.name
}

output "dead_letter_queue_url" {
  description = "For darwin-worker dead-letters; run finds it by the queue's redrive policy."
  value       = aws_sqs_queue.dead_letters.url
}

output "dead_letter_queue_arn" {
  value = aws_sqs_queue.dead_letters.arn
}

output "dead_letter_queue_name" {
  value = aws_sqs_queue.dead_letters.name
}

output "bucket_arn" {
  value = "arn:${data.aws_partition.current.partition}:s3:::${coalesce(var.new_bucket, var.existing_bucket)}"
}

output "ledger_table" {
  description = "For WORKER_LEDGER__URL, after dynamodb://."
  value       = aws_dynamodb_table.ledger.name
}

output "ledger_table_arn" {
  value = aws_dynamodb_table.ledger.arn
}

output "api_key_secret_arn" {
  description = "Where the API key is to be put."
  value       = aws_secretsmanager_secret.api_key.arn
}

output "key_arn" {
  description = "Of the queues' KMS key; null without customer_key."
  value       = one(aws_kms_key.queues[*].arn)
}
