resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  description   = "Financial sentiment of texts"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "app" {
  api_id             = aws_apigatewayv2_api.this.id
  integration_type   = "HTTP_PROXY"
  integration_method = "ANY"
  integration_uri    = var.target
  connection_type    = var.vpc_link_id == null ? "INTERNET" : "VPC_LINK"
  connection_id      = var.vpc_link_id
  # Above the service's own 25 s, below the gateway's 30.
  timeout_milliseconds = 29000

  request_parameters = {
    # The path as it came: private integrations would put the stage before it, public ones drop it.
    "overwrite:path"                                = "$request.path"
    "overwrite:header.${var.client_address_header}" = "$context.identity.sourceIp"
  }
}

# Whoever has no business here is told so by the service: keys and limits are its own.
resource "aws_apigatewayv2_route" "all" {
  #checkov:skip=CKV_AWS_309:The service checks the API keys of its clients
  api_id    = aws_apigatewayv2_api.this.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.app.id}"
}

# Prometheus asks inside the network; from outside only whoever AWS knows.
resource "aws_apigatewayv2_route" "metrics" {
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = "ANY /metrics"
  authorization_type = "AWS_IAM"
  target             = "integrations/${aws_apigatewayv2_integration.app.id}"
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch's own key; docs/decisions/0020
  #checkov:skip=CKV_AWS_338:How long logs are kept is the operator's choice
  name              = "${var.log_group_prefix}/gateway"
  retention_in_days = var.log_retention_days
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_rate_limit    = var.throttling.rate
    throttling_burst_limit   = var.throttling.burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # No query and no header: those are the client's own.
    format = jsonencode({
      request_id  = "$context.requestId"
      time        = "$context.requestTime"
      client      = "$context.identity.sourceIp"
      method      = "$context.httpMethod"
      path        = "$context.path"
      status      = "$context.status"
      latency_ms  = "$context.responseLatency"
      service_ms  = "$context.integrationLatency"
      bytes       = "$context.responseLength"
      error       = "$context.error.message"
      integration = "$context.integrationErrorMessage"
    })
  }
}
