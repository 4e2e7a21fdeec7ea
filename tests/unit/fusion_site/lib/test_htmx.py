from __future__ import annotations

import pytest
from django.http import HttpResponse, HttpResponsePermanentRedirect, HttpResponseRedirect
from django.test import RequestFactory, override_settings

from fusion_site.lib.htmx import HtmxRedirectMiddleware, render_page

PAGE = "<main>{% partialdef items inline %}<ul id='items'>{{ word }}</ul>{% endpartialdef %}</main>"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "builtins": ["template_partials.templatetags.partials"],
            "loaders": [
                ("template_partials.loader.Loader", [("django.template.loaders.locmem.Loader", {"page.html": PAGE})])
            ],
        },
    }
]


@pytest.fixture(autouse=True)
def one_template():
    with override_settings(TEMPLATES=TEMPLATES):
        yield


def ask(**headers: str) -> str:
    request = RequestFactory().get("/", headers={name.replace("_", "-"): value for name, value in headers.items()})
    return render_page(request, "page.html", {"word": "seven"}, fragments=["items"]).content.decode()


def test_a_plain_request_gets_the_page():
    assert ask() == "<main><ul id='items'>seven</ul></main>"


def test_htmx_gets_the_fragment_it_names_as_its_target():
    assert ask(HX_Request="true", HX_Target="items") == "<ul id='items'>seven</ul>"


@pytest.mark.parametrize(
    "headers",
    [
        {"HX_Target": "items"},
        {"HX_Request": "true"},
        {"HX_Request": "true", "HX_Target": "other"},
        {"HX_Request": "true", "HX_Target": "items", "HX_History_Restore_Request": "true"},
    ],
)
def test_anything_else_gets_the_page(headers):
    assert ask(**headers).startswith("<main>")


def test_a_cache_keeps_page_and_fragment_apart():
    response = render_page(RequestFactory().get("/"), "page.html", {}, fragments=["items"])

    assert response["Vary"] == "HX-Request, HX-Target"


def test_the_status_is_passed_on():
    assert render_page(RequestFactory().get("/"), "page.html", {}, status=422).status_code == 422


def answer(response: HttpResponse, **headers: str) -> HttpResponse:
    return HtmxRedirectMiddleware(lambda _: response)(RequestFactory().post("/", headers=headers))


@pytest.mark.parametrize("status", [302, 303])
def test_a_redirect_for_htmx_becomes_a_header(status):
    redirect = HttpResponseRedirect("/runs/1/")
    redirect.status_code = status
    redirect.set_cookie("messages", "Started")

    response = answer(redirect, **{"HX-Request": "true"})

    assert (response.status_code, response["HX-Redirect"], response.content) == (204, "/runs/1/", b"")
    assert "Location" not in response
    assert response.cookies["messages"].value == "Started"


def test_a_redirect_without_htmx_stays():
    response = answer(HttpResponseRedirect("/runs/1/"))

    assert (response.status_code, response["Location"]) == (302, "/runs/1/")


@pytest.mark.parametrize("response", [HttpResponse("fine"), HttpResponsePermanentRedirect("/elsewhere/")])
def test_other_answers_to_htmx_stay(response):
    status = response.status_code

    assert answer(response, **{"HX-Request": "true"}).status_code == status


async def test_it_also_works_in_an_event_loop():
    async def get_response(_request):
        return HttpResponseRedirect("/runs/1/")

    request = RequestFactory().post("/", headers={"HX-Request": "true"})

    assert (await HtmxRedirectMiddleware(get_response)(request))["HX-Redirect"] == "/runs/1/"
