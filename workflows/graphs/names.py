"""How one step is named everywhere: state "Make Thumbnails", folder make_thumbnails, MakeThumbnailsFunction."""


def resource_name(state: str) -> str:
    """Return the name of a state's function in the SAM template."""
    return f"{state.replace(' ', '')}Function"


def folder_name(state: str) -> str:
    """Return the folder of a state's function below lambdas/."""
    return state.replace(" ", "_").lower()


def function_arn(state: str) -> str:
    """Return the substitution that the SAM template fills with the ARN of a state's function."""
    return f"${{{resource_name(state)}Arn}}"
