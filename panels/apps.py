from django.apps import AppConfig


class PanelsConfig(AppConfig):
    name = "panels"
    verbose_name = "Panels and models"

    def ready(self) -> None:
        from panels.services.sign_ins import listen_to_sign_ins

        listen_to_sign_ins()
