variable "length" {
  description = "Characters of each."
  type        = number
  nullable    = false
  default     = 48

  validation {
    condition     = var.length >= 32 && var.length <= 128
    error_message = "length must be 32 (what signs tokens needs that) to 128."
  }
}
