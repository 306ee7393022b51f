"""The task of reading the fields of a document, such as a receipt."""

from circuitvlm.task.extract.task import FORMS, Extract

__all__ = ["FORMS", "Extract"]
