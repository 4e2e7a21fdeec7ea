from __future__ import annotations

import pytest

from fusion_site.lib.mail import mail_settings


def test_without_a_server_mails_are_printed():
    assert mail_settings(None) == {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}


def test_an_address_says_it_all():
    found = mail_settings("smtp://quorum%40example.com:p%40ss@mail.example.com")
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example.com", 587)
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("quorum@example.com", "p@ss")
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (True, False)


def test_tls_is_spoken_from_the_start_or_not_at_all_with_a_relay_that_knows_nobody():
    direct, relay = mail_settings("smtps://u:p@mail.example.com"), mail_settings("smtp://localhost:25")
    assert (direct["EMAIL_PORT"], direct["EMAIL_USE_TLS"], direct["EMAIL_USE_SSL"]) == (465, False, True)
    assert (relay["EMAIL_PORT"], relay["EMAIL_USE_TLS"], relay["EMAIL_USE_SSL"]) == (25, False, False)


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://host:many"])
def test_what_is_no_mail_server_is_refused(url):
    with pytest.raises(ValueError, match="it is not like smtp://"):
        mail_settings(url)
