variable "name" {
  description = "What the names of all that is made begin with."
  type        = string
  default     = "darwin-worker"
}

variable "new_bucket" {
  description = "Name of a bucket to make, which tells the queue of its new objects. Give this or existing_bucket. Without dots, since Darwin cannot show files of a bucket with dots in its name."
  type        = string
  default     = null

  validation {
    condition     = var.new_bucket == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.new_bucket))
    error_message = "It takes the name of a bucket: 3 to 63 small letters, digits and hyphens, without dots."
  }
}

variable "existing_bucket" {
  description = "Name of a bucket that is there, in this account and region. Its events come through EventBridge: notifications to EventBridge must be turned on for it (README.md)."
  type        = string
  default     = null

  validation {
    condition     = (var.new_bucket == null) != (var.existing_bucket == null)
    error_message = "Give either new_bucket or existing_bucket."
  }
}

variable "prefix" {
  description = "What the keys begin with that are told of. Darwin writes its thumbnails into the same bucket: keep them outside of this prefix. Empty for the whole bucket."
  type        = string
  default     = "incoming/"
}

variable "customer_key" {
  description = "Whether both queues are encrypted with a KMS key of your own, made here, in place of one that SQS manages."
  type        = bool
  default     = false
}
