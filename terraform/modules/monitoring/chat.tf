locals {
  chat = var.slack == null ? 0 : 1
}

# What may be asked from the channel: nothing but what CloudWatch shows.
resource "aws_iam_role" "chat" {
  count = local.chat

  name = "${var.name}-chat"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "chatbot.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "chat" {
  count = local.chat

  role       = aws_iam_role.chat[0].name
  policy_arn = "arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess"
}

resource "aws_chatbot_slack_channel_configuration" "this" {
  count = local.chat

  configuration_name    = var.name
  iam_role_arn          = aws_iam_role.chat[0].arn
  slack_team_id         = var.slack.team_id
  slack_channel_id      = var.slack.channel_id
  sns_topic_arns        = concat([module.alerts.topic_arn], module.billing_alerts[*].topic_arn)
  guardrail_policy_arns = ["arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess"]
}
