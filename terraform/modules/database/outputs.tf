output "identifier" {
  description = "Name of the instance, the dimension of its metrics."
  value       = aws_db_instance.this.identifier
}

output "connection" {
  description = "What a client needs beside the password."
  value = {
    host     = aws_db_instance.this.address
    port     = aws_db_instance.this.port
    name     = aws_db_instance.this.db_name
    username = aws_db_instance.this.username
  }
}
