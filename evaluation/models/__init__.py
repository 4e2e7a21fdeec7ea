from evaluation.models.answer import Answer
from evaluation.models.api_key import ApiKey
from evaluation.models.calibration import Calibration
from evaluation.models.call import Call
from evaluation.models.dataset import Dataset, DatasetVersion
from evaluation.models.dataset_import import DatasetImport
from evaluation.models.example import Example, RecordedOutput
from evaluation.models.experiment import Arm, Experiment
from evaluation.models.result import RunResult
from evaluation.models.review_item import Adjudication, ReviewItem
from evaluation.models.review_session import ReviewAssignment, ReviewSession
from evaluation.models.review_slot import ReviewSlot
from evaluation.models.review_vote import ReviewVote
from evaluation.models.rollup import AnswerRollup, CallRollup, Grain, RollupDue, RollupState
from evaluation.models.rubric_version import RubricVersion
from evaluation.models.run import ArmProgress, Batch, Lease, Run
from evaluation.models.traffic import LiveRequest
from evaluation.models.workflow import Workflow

__all__ = [
    "Adjudication",
    "Answer",
    "AnswerRollup",
    "ApiKey",
    "Arm",
    "ArmProgress",
    "Batch",
    "Calibration",
    "Call",
    "CallRollup",
    "Dataset",
    "DatasetImport",
    "DatasetVersion",
    "Example",
    "Experiment",
    "Grain",
    "Lease",
    "LiveRequest",
    "RecordedOutput",
    "ReviewAssignment",
    "ReviewItem",
    "ReviewSession",
    "ReviewSlot",
    "ReviewVote",
    "RollupDue",
    "RollupState",
    "RubricVersion",
    "Run",
    "RunResult",
    "Workflow",
]
