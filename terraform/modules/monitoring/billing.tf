locals {
  billed = var.billing_limit_usd == null ? 0 : 1
}

# An alarm can only tell a topic of its own region.
module "billing_alerts" {
  source = "../alerts"
  count  = local.billed

  name   = "${var.name}-billing"
  emails = var.emails

  providers = { aws = aws.us_east_1 }
}

resource "aws_cloudwatch_metric_alarm" "billing" {
  count    = local.billed
  provider = aws.us_east_1

  alarm_name          = "${var.name}-billing"
  alarm_description   = "The account's charges of this month are above ${var.billing_limit_usd} USD"
  namespace           = "AWS/Billing"
  metric_name         = "EstimatedCharges"
  dimensions          = { Currency = "USD" }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.billing_limit_usd
  period              = 21600
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [module.billing_alerts[0].topic_arn]
}
