locals {
  has_hosts = var.hosts == "none" ? 0 : 1
}

resource "aws_iam_role" "host" {
  count = local.has_hosts

  name = "${var.name}-host"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

# Sessions and patches by SSM in place of an SSH port; the agent of ECS; metrics of the host.
resource "aws_iam_role_policy_attachment" "host" {
  for_each = local.has_hosts == 0 ? [] : toset([
    "AmazonSSMManagedInstanceCore",
    "service-role/AmazonEC2ContainerServiceforEC2Role",
  ])

  role       = aws_iam_role.host[0].name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_iam_role_policy" "host" {
  #checkov:skip=CKV_AWS_290:PutMetricData knows no resource; it is bound to the agent's namespace
  #checkov:skip=CKV_AWS_355:PutMetricData and DescribeTags know no resource
  count = local.has_hosts

  name = "metrics-logs-playbooks"
  role = aws_iam_role.host[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Metrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = "CWAgent" } }
      },
      {
        Sid      = "NameOfTheFleet"
        Effect   = "Allow"
        Action   = "ec2:DescribeTags"
        Resource = "*"
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = "${aws_cloudwatch_log_group.host[0].arn}:*"
      },
      {
        Sid       = "ListPlaybooks"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = var.host_bucket_arn
        Condition = { StringLike = { "s3:prefix" = "ansible/*" } }
      },
      {
        Sid      = "ReadPlaybooks"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${var.host_bucket_arn}/ansible/*"
      },
    ]
  })
}

resource "aws_iam_instance_profile" "host" {
  count = local.has_hosts

  name = "${var.name}-host"
  role = aws_iam_role.host[0].name
}
