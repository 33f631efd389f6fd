output "name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name

  # A service that names the capacity provider needs it to belong to the cluster.
  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

output "id" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.id

  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

output "instance_id" {
  description = "The single host, or null."
  value       = one(aws_instance.single[*].id)
}

output "capacity_provider" {
  description = "The fleet's capacity provider, or null."
  value       = one(aws_ecs_capacity_provider.fleet[*].name)
}

output "host_dimensions" {
  description = "By which metrics of hosts are found: the host, the fleet, or null."
  value = (
    var.hosts == "single_host" ? { InstanceId = aws_instance.single[0].id } :
    var.hosts == "fleet" ? { AutoScalingGroupName = aws_autoscaling_group.fleet[0].name } : null
  )
}

output "is_arm" {
  description = "Whether hosts are Graviton."
  value       = local.is_arm
}
