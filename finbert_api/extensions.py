"""Flask extensions, made once and bound to an app in create_app; this module imports nothing of ours."""

from typing import TYPE_CHECKING

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Declarative base of every table."""


db = SQLAlchemy(model_class=Base)
if TYPE_CHECKING:  # a type checker can't follow the class that Flask-SQLAlchemy derives from ours
    Model = Base
else:
    Model = db.Model
