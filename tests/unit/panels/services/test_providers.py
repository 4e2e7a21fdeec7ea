import pytest

from panels.services.providers import looks_like_key, variable_problem


@pytest.mark.parametrize("name", ["", "OPENROUTER_API_KEY", "OPENAI_API_KEY", "REPLICATE_API_TOKEN", "A2_API_KEY"])
def test_a_variable_that_holds_a_key_may_be_named(name):
    assert variable_problem(name) is None


@pytest.mark.parametrize(
    "text",
    ["sk-or-v1-0123456789abcdef", "SK-ABC", "gsk_abc", "hf_abc", "AIzaSyA-1234", "AKIAIOSFODNN7EXAMPLE", "Bearer x"],
)
def test_a_key_is_not_taken_for_the_name_of_a_variable(text):
    assert looks_like_key(text)
    assert "looks like a key" in str(variable_problem(text))
    assert text not in str(variable_problem(text))


@pytest.mark.parametrize(
    "name",
    ["SECRET_KEY", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "openrouter_api_key", "2_API_KEY", "PATH", "X_API_KEY\n"],
)
def test_a_variable_that_may_hold_something_else_is_refused(name):
    assert "ends in _API_KEY" in str(variable_problem(name))
