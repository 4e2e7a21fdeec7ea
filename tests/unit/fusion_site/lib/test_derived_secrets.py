from __future__ import annotations

import hashlib
import hmac

from fusion_site.lib.derived_secrets import derived_secret


def test_a_secret_is_derived_from_the_key_and_its_purpose(settings):
    settings.SECRET_KEY = "k" * 32
    expected = hmac.new(b"k" * 32, b"quorum fences", hashlib.sha256).digest()
    assert derived_secret("fences") == expected


def test_another_purpose_or_another_key_is_another_secret(settings):
    settings.SECRET_KEY = "k" * 32
    fences = derived_secret("fences")
    assert derived_secret("masks") != fences
    settings.SECRET_KEY = "l" * 32
    assert derived_secret("fences") != fences
