from infrastructure.image.fixtures import image, new_database, postgres, start_container

__all__ = ["image", "new_database", "postgres", "start_container"]
