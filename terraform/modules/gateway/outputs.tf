output "api_id" {
  description = "The API, the dimension of its metrics."
  value       = aws_apigatewayv2_api.this.id
}

output "url" {
  description = "Where clients send requests, without a slash at the end."
  value       = aws_apigatewayv2_api.this.api_endpoint

  depends_on = [aws_apigatewayv2_stage.default]
}
