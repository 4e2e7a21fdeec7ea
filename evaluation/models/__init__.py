from evaluation.models.answer import Answer
from evaluation.models.calibration import Calibration
from evaluation.models.call import Call
from evaluation.models.dataset import Dataset, DatasetVersion
from evaluation.models.dataset_import import DatasetImport
from evaluation.models.example import Example, RecordedOutput
from evaluation.models.experiment import Arm, Experiment
from evaluation.models.result import RunResult
from evaluation.models.run import ArmProgress, Batch, Lease, Run
from evaluation.models.traffic import LiveRequest
from evaluation.models.workflow import Workflow

__all__ = [
    "Answer",
    "Arm",
    "ArmProgress",
    "Batch",
    "Calibration",
    "Call",
    "Dataset",
    "DatasetImport",
    "DatasetVersion",
    "Example",
    "Experiment",
    "Lease",
    "LiveRequest",
    "RecordedOutput",
    "Run",
    "RunResult",
    "Workflow",
]
