locals {
  # The rules would refuse bodies over 8 KB, and batches of texts are longer; the service bounds them itself.
  counted_only = ["SizeRestrictions_BODY"]

  managed_rules = {
    AWSManagedRulesCommonRuleSet          = { priority = 10, counted = local.counted_only }
    AWSManagedRulesKnownBadInputsRuleSet  = { priority = 20, counted = [] }
    AWSManagedRulesAmazonIpReputationList = { priority = 30, counted = [] }
  }
}

resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV_AWS_192:AWSManagedRulesKnownBadInputsRuleSet is among the rules, which checkov does not read through their dynamic block
  #checkov:skip=CKV2_AWS_31:Counts and samples are kept; whole requests hold the texts of users
  name        = var.name
  description = "What is refused before it reaches a task"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule {
    name     = "requests-per-client"
    priority = 1

    action {
      block {
        custom_response {
          response_code = 429
        }
      }
    }

    statement {
      rate_based_statement {
        limit              = var.requests_per_client
        aggregate_key_type = "FORWARDED_IP"

        # To the load balancer every request comes from the VPC link.
        forwarded_ip_config {
          header_name       = var.client_address_header
          fallback_behavior = "MATCH"
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${var.name}-requests-per-client"
      sampled_requests_enabled   = false
    }
  }

  dynamic "rule" {
    for_each = local.managed_rules

    content {
      name     = rule.key
      priority = rule.value.priority

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          name        = rule.key
          vendor_name = "AWS"

          dynamic "rule_action_override" {
            for_each = rule.value.counted

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.name}-${rule.key}"
        sampled_requests_enabled   = false
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = false
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  resource_arn = aws_lb.this.arn
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}
