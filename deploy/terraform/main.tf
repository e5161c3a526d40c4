# What outlives the darwin-worker: its queue and dead-letter queue, the bucket or the way from one, the ledger, and the place
# of the API key. The same as ../cloudformation/data.yaml, which tests/deploy/test_terraform.py compares it with.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  fortnight    = 1209600 # 14 days, the most that there is
  makes_bucket = var.new_bucket != null
  sender       = local.makes_bucket ? "s3.amazonaws.com" : "events.amazonaws.com"
}

# -- the queues --------------------------------------------------------------------------------------------------------------

resource "aws_sqs_queue" "events" {
  name                      = "${var.name}-events"
  message_retention_seconds = local.fortnight
  kms_master_key_id         = one(aws_kms_key.queues[*].arn)
  sqs_managed_sse_enabled   = var.customer_key ? null : true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 10
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = local.fortnight
  kms_master_key_id         = one(aws_kms_key.queues[*].arn)
  sqs_managed_sse_enabled   = var.customer_key ? null : true
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events.arn]
  })
}

# Conditions as in "Granting permissions to publish event notification messages to a destination" (Amazon S3) and "Using
# resource-based policies for Amazon EventBridge".
resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = local.makes_bucket ? "FromBucket" : "FromEventBridge"
      Effect    = "Allow"
      Principal = { Service = local.sender }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.events.arn
      Condition = merge(
        { ArnEquals = { "aws:SourceArn" = one(concat(aws_s3_bucket.media[*].arn, aws_cloudwatch_event_rule.objects_created[*].arn)) } },
        # A bucket's ARN does not say whose it is; a rule's does.
        local.makes_bucket ? { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } } : {},
      )
    }]
  })
}

resource "aws_kms_key" "queues" {
  count = var.customer_key ? 1 : 0

  description         = "The queues of ${var.name}"
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account" # so that roles may be allowed to use it
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # Without conditions, as AWS's pages have it ("Configure KMS permissions for AWS services" of SQS): with one that a
        # service does not fill, no event would come and nobody would be told. Who may send, the queue's policy says.
        Sid       = "Events"
        Effect    = "Allow"
        Principal = { Service = local.sender }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
      },
    ]
  })
}

# -- the bucket --------------------------------------------------------------------------------------------------------------

resource "aws_s3_bucket" "media" {
  count = local.makes_bucket ? 1 : 0

  bucket = var.new_bucket
}

resource "aws_s3_bucket_public_access_block" "media" {
  count = local.makes_bucket ? 1 : 0

  bucket                  = aws_s3_bucket.media[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_notification" "media" {
  count = local.makes_bucket ? 1 : 0

  bucket = aws_s3_bucket.media[0].id

  queue {
    queue_arn     = aws_sqs_queue.events.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = var.prefix
  }

  # S3 tries the queue when it is given the notification, and refuses one that it may not send to.
  depends_on = [aws_sqs_queue_policy.events]
}

resource "aws_cloudwatch_event_rule" "objects_created" {
  count = local.makes_bucket ? 0 : 1

  name        = "${var.name}-objects-created"
  description = "New objects of ${var.existing_bucket} to the darwin-worker's queue"

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [var.existing_bucket] }
      object = { key = [{ prefix = var.prefix }] } # an empty prefix matches every key
    }
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  count = local.makes_bucket ? 0 : 1

  rule = aws_cloudwatch_event_rule.objects_created[0].name
  arn  = aws_sqs_queue.events.arn
}

# -- the ledger, and the place of the key ------------------------------------------------------------------------------------

# No time to live: a ledger forgets nothing by itself.
resource "aws_dynamodb_table" "ledger" {
  name         = "${var.name}-ledger"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  deletion_protection_enabled = true # without its ledger a fleet would send everything again

  attribute {
    name = "id"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }
}

# Made empty: the key is put into it afterwards (README.md), so that no state file ever holds it.
resource "aws_secretsmanager_secret" "api_key" {
  name_prefix = "${var.name}-api-key-" # a name of its own each time, for AWS keeps the name of a removed one for 30 days
  description = "An API key of Darwin that may add data to datasets, as plain text"
}
