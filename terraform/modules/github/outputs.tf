output "roles" {
  description = "Roles that workflows assume: of each environment, and for plans."
  value = merge(
    { for name, role in aws_iam_role.deploy : "${name}-deploy" => role.arn },
    { for name, role in aws_iam_role.terraform : "${name}-terraform" => role.arn },
    { plan = aws_iam_role.plan.arn },
  )
}
