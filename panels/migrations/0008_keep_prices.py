from django.db import migrations


def keep_prices(apps, schema_editor):
    """The price that a model has now is the first row of its history. Recorded models keep theirs as imported."""
    alias = schema_editor.connection.alias
    price = apps.get_model("panels", "ModelPrice")
    models = apps.get_model("panels", "LanguageModel").objects.using(alias).exclude(provider__kind="recorded")
    price.objects.using(alias).bulk_create(
        price(
            model=model,
            in_nanousd_per_mtok=model.price_in_nanousd_per_mtok,
            out_nanousd_per_mtok=model.price_out_nanousd_per_mtok,
            source=model.price_source,
            valid_from=model.created_at,
        )
        for model in models.filter(price_in_nanousd_per_mtok__isnull=False)
    )


class Migration(migrations.Migration):
    dependencies = [
        ("panels", "0007_govern_models"),
    ]

    operations = [migrations.RunPython(keep_prices, migrations.RunPython.noop)]
