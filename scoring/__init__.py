"""The engine: actions in; points, scores, badges and ranks out. Knows no HTTP, no Celery, no clock."""
