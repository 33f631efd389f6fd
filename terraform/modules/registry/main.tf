resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_136:Encrypted with the registry's own key; images hold no secret
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.deletable

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "What no tag names is the rest of a push that failed"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The newest stay"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept }
        action       = { type = "expire" }
      },
    ]
  })
}
