"""The site: settings, URLs, pages, API, admin, intake, exports and Celery tasks."""
