from __future__ import annotations

import json
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.files.uploadedfile import SimpleUploadedFile

from evaluation.models import ReviewSession

pytestmark = pytest.mark.django_db
PAIR: dict[str, Any] = {"id": "a", "prompt": "Which one?"}
VOTES = {"human_pairwise": {"raters": ["x", "y"], "labels": [1, 2]}}


def upload(name: str, *rows: dict[str, Any]) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, "".join(json.dumps(row) + "\n" for row in rows).encode())


def outputs() -> SimpleUploadedFile:
    return upload("outputs.jsonl", *({"item_id": "a", "model": name, "text": name} for name in ("m1", "m2")))


def errors(response: Any) -> list[str]:
    found = BeautifulSoup(response.content, "html.parser").select(".errors")
    return [" ".join(one.get_text().split()) for one in found]


def test_pairs_are_uploaded_and_their_session_is_shown(manager):
    form = {"title": "Pairs", "pairs": upload("pairs.jsonl", PAIR | VOTES), "outputs": outputs(), "votes": "0"}
    response = manager.post("/review/import/", form, follow=True)
    session = ReviewSession.objects.get()
    page = BeautifulSoup(response.content, "html.parser")
    assert session.created_by is not None
    assert response.redirect_chain[-1][0] == f"/review/{session.pk}/session/"
    assert "An imported pair file" in page.get_text()
    results = BeautifulSoup(manager.get(f"/review/{session.pk}/results/").content, "html.parser").get_text()
    assert "not drawn here" in results
    assert "Hallucination" not in results


def test_what_is_wrong_stands_at_the_file_it_is_in(manager):
    form = {"title": "Pairs", "pairs": upload("pairs.jsonl", PAIR), "outputs": upload("o.jsonl", {"item_id": "a"})}
    response = manager.post("/review/import/", form | {"votes": "1", "open_queue": "on"})
    assert response.status_code == 422
    assert errors(response)[0].startswith("o.jsonl:1 model: the model is missing")
    response = manager.post("/review/import/", {"title": "Pairs", "pairs": upload("p.jsonl", PAIR), "votes": "0"})
    assert errors(response)[0].startswith("p.jsonl:1 first: the answer is missing")
    assert not ReviewSession.objects.exists()


def test_a_plan_that_does_not_fit_says_so(manager):
    form = {"title": "Pairs", "pairs": upload("pairs.jsonl", PAIR), "outputs": outputs(), "votes": "1"}
    response = manager.post("/review/import/", form)
    assert "Name as many reviewers as votes are wanted" in errors(response)[0]


def test_a_file_that_is_too_large_is_refused(manager, settings):
    settings.MAX_UPLOAD_BYTES = 10
    response = manager.post("/review/import/", {"title": "P", "pairs": upload("pairs.jsonl", PAIR), "votes": "0"})
    assert "larger than" in errors(response)[0]


def test_only_product_managers_import_pairs(viewer, manager):
    assert viewer.get("/review/import/").status_code == 403
    assert manager.get("/review/import/").status_code == 200
