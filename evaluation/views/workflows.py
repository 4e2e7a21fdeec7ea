from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from evaluation.forms.workflows import WorkflowForm
from evaluation.models import Workflow
from evaluation.permissions import (
    WHO_CHANGES_WORKFLOWS,
    may_change_workflows,
    may_run_experiments,
    require_workflow_editor,
)
from evaluation.policies import WrongState
from evaluation.selectors.overview import workflow_page
from evaluation.selectors.sensitive_fields import field_uses
from evaluation.services.workflows import InvalidWorkflow, change_workflow
from fusion_site.lib.htmx import render_page


@require_safe
def show_workflow(request: HttpRequest, slug: str) -> HttpResponse:
    page = workflow_page(get_object_or_404(Workflow, slug=slug))
    context = {
        "page": page,
        "workflow": page.standing.workflow,
        "now": timezone.now(),
        "may_run": may_run_experiments(request.user),
        "may_change": may_change_workflows(request.user),
        "who_may_change": WHO_CHANGES_WORKFLOWS,
        "shows_simulated": page.standing.simulated,
    }
    return render_page(request, "evaluation/workflow.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def edit_workflow(request: HttpRequest, slug: str) -> HttpResponse:
    person = require_workflow_editor(request.user)
    workflow = get_object_or_404(Workflow, slug=slug)
    uses = field_uses(workflow)
    if request.method != "POST":
        return _show_form(request, workflow, WorkflowForm.filled_from(workflow, uses=uses))
    form = WorkflowForm(request.POST, uses=uses)
    if form.is_valid() and _change(workflow, form, person):
        messages.success(request, "Saved. It holds for every run that is started from now on.")
        return redirect("evaluation:workflow", slug=slug)
    return _show_form(request, workflow, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def _show_form(
    request: HttpRequest, workflow: Workflow, form: WorkflowForm, *, status: int = HTTPStatus.OK
) -> HttpResponse:
    context = {"workflow": workflow, "form": form}
    return render_page(request, "evaluation/workflow_form.html", context, fragments=["workflow"], status=status)


def _change(workflow: Workflow, form: WorkflowForm, person: User) -> bool:
    """Whether it was changed; where the domain refused, the form says why."""
    try:
        change_workflow(workflow=workflow, settings=form.settings(), by=person, now=timezone.now())
    except InvalidWorkflow as refusal:
        form.add_problems(refusal.problems)
    except WrongState as refusal:
        form.add_error("masks", str(refusal))
    return not form.errors
