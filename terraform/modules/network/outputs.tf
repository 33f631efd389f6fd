output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "The public subnets, one for each zone."
  value       = aws_subnet.public[*].id

  # Whoever starts something there needs the way out.
  depends_on = [aws_route.internet]
}

output "private_subnet_ids" {
  description = "The private subnets, one for each zone."
  value       = aws_subnet.private[*].id

  depends_on = [aws_route.nat]
}
