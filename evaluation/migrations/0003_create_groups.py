from django.contrib.auth.management import create_permissions
from django.db import migrations

PRODUCT_MANAGER = (
    "evaluation.add_dataset",
    "evaluation.change_dataset",
    "evaluation.add_datasetimport",
    "evaluation.add_experiment",
    "evaluation.add_run",
    "evaluation.change_run",
    "panels.add_languagemodel",
    "panels.change_languagemodel",
    "panels.add_panel",
    "panels.add_panelversion",
    "panels.add_provider",
    "panels.change_provider",
)


def create_groups(apps, _schema_editor):
    # Permissions are otherwise made after the last migration, which is too late to hand them out here.
    for label in ("panels", "evaluation"):
        config = apps.get_app_config(label)
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None
    group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    manager, _ = group_model.objects.get_or_create(name="product manager")
    for name in PRODUCT_MANAGER:
        app_label, codename = name.split(".")
        manager.permissions.add(permission_model.objects.get(content_type__app_label=app_label, codename=codename))
    group_model.objects.get_or_create(name="viewer")


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("panels", "0001_initial"),
        ("evaluation", "0002_let_imports_share_a_version"),
    ]

    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
