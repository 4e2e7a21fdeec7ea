from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("evaluation", "0010_review"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="reviewslot", name="review_slot_to_claim"),
        migrations.AddIndex(
            model_name="reviewslot",
            index=models.Index(fields=["session", "state", "position", "number"], name="review_slot_to_claim"),
        ),
        migrations.AddIndex(
            model_name="reviewitem",
            index=models.Index(fields=["session", "kind", "position"], name="review_item_by_kind"),
        ),
    ]
