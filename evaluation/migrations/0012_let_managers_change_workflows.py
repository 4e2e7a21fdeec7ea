from django.contrib.auth.management import create_permissions
from django.db import migrations, models


def allow_managers(apps, _schema_editor):
    # Permissions are otherwise made after the last migration, which is too late to hand them out here.
    config = apps.get_app_config("evaluation")
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0)
    config.models_module = None
    group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    manager, _ = group_model.objects.get_or_create(name="product manager")
    wanted = permission_model.objects.get(content_type__app_label="evaluation", codename="change_workflow")
    manager.permissions.add(wanted)


class Migration(migrations.Migration):
    dependencies = [
        ("evaluation", "0011_let_claims_use_their_index"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="workflow",
            constraint=models.CheckConstraint(
                condition=models.Q(("target_p95_ms", None), ("target_p95_ms__gt", 0), _connector="OR"),
                name="workflow_target_p95_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="workflow",
            constraint=models.CheckConstraint(
                condition=models.Q(("target_cost_change", None), ("target_cost_change__gte", -1), _connector="OR"),
                name="workflow_target_cost_saves_at_most_all",
            ),
        ),
        migrations.RunPython(allow_managers, migrations.RunPython.noop),
    ]
