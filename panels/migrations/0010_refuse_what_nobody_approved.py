from django.db import migrations

from fusion_site.lib.append_only import append_only
from fusion_site.lib.grants import grant
from panels.triggers import install_triggers, remove_triggers

READS = ("panels.view_changerequest", "panels.view_panelapplication")
GROUPS = {
    "viewer": READS,
    "product manager": (
        *READS,
        "panels.add_changerequest",
        "panels.change_changerequest",
        "panels.apply_changerequest",
    ),
    "approver": (*READS, "panels.decide_changerequest", "panels.apply_changerequest"),
    "compliance": (*READS, "panels.decide_changerequest", "panels.decide_as_compliance"),
    "administrator": READS,
}


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("panels", "0009_add_change_requests"),
    ]

    operations = [
        append_only("panels_member"),
        append_only("panels_changedecision"),
        append_only("panels_changecontributor"),
        append_only("panels_panelapplication"),
        migrations.RunPython(
            lambda _apps, editor: install_triggers(editor), lambda _apps, editor: remove_triggers(editor)
        ),
        grant(GROUPS),
    ]
