"""What a study must satisfy beyond its types."""

from ...kinds import STUDIES
from ..errors import ExperimentError, require, shown, suggestion
from ..schema import Study


def check_study(study: Study | None) -> None:
    """Raise ExperimentError for an id without a rule in code, and for blank words."""
    if study is None:
        return
    if study.id not in STUDIES:
        raise ExperimentError(
            f"study.id = {shown(study.id)}: no such study{suggestion(study.id, STUDIES)}; "
            f"accepted: {', '.join(STUDIES)}"
        )
    for key in ("question", "claim", "rule"):
        text = getattr(study, key)
        require(bool(text.strip()), f"study.{key}", text, "text that is not blank")
