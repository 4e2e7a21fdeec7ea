from django.db import migrations

from fusion_site.lib.grants import grant

# Whoever reads with the admin's lists; the pages are open to all who can log in, but for those who only review.
READS = (
    "evaluation.view_answer",
    "evaluation.view_arm",
    "evaluation.view_calibration",
    "evaluation.view_call",
    "evaluation.view_dataset",
    "evaluation.view_datasetimport",
    "evaluation.view_datasetversion",
    "evaluation.view_experiment",
    "evaluation.view_run",
    "evaluation.view_workflow",
    "panels.view_languagemodel",
    "panels.view_member",
    "panels.view_panel",
    "panels.view_panelversion",
    "panels.view_provider",
)

GROUPS = {
    "viewer": READS,
    "product manager": READS,
    # They rate blind, so there is nothing else that they read.
    "reviewer": (),
    "adjudicator": (),
    "approver": READS,
    "compliance": (
        *READS,
        "auth.view_group",
        "auth.view_user",
        "panels.view_auditentry",
    ),
    "administrator": (
        *READS,
        "auth.add_group",
        "auth.add_user",
        "auth.change_group",
        "auth.change_user",
        "auth.view_group",
        "auth.view_user",
        "panels.add_languagemodel",
        "panels.add_provider",
        "panels.change_languagemodel",
        "panels.change_provider",
        "panels.view_auditentry",
    ),
}


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("panels", "0005_audit"),
        ("evaluation", "0012_let_managers_change_workflows"),
    ]

    operations = [grant(GROUPS)]
