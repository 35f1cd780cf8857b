"""The addresses of the customer pages."""

from django.urls import path

from loyalty.pages import (
    activity,
    add,
    badges,
    board,
    brands,
    check_in,
    explained,
    join,
    live,
    me,
    purchase,
    rules,
    score,
    source,
    usage,
)

urlpatterns = [
    path("", brands.brands, name="brands"),
    path("b/<slug:slug>/", brands.landing, name="landing"),
    path("b/<slug:slug>/look.<slug:fingerprint>.css", brands.look, name="look"),
    path("b/<slug:slug>/join", join.join, name="join"),
    path("b/<slug:slug>/rules", rules.rule_book, name="rules"),
    path("live", live.no_streams, name="live"),
    path("b/<slug:slug>/live/state", live.state, name="live_state"),
    path("b/<slug:slug>/score", score.score, name="score"),
    path("b/<slug:slug>/score/explained", explained.explained, name="explained"),
    path("b/<slug:slug>/score/explained.json", explained.explained_json, name="explained_json"),
    path("b/<slug:slug>/score/explained.csv", explained.explained_csv, name="explained_csv"),
    path("b/<slug:slug>/score/<slug:source_slug>", source.source, name="source"),
    path("b/<slug:slug>/activity", activity.activity, name="activity"),
    path("b/<slug:slug>/activity/<int:action_id>", activity.receipt, name="receipt"),
    path("b/<slug:slug>/activity/<int:action_id>/result", activity.result, name="result"),
    path("b/<slug:slug>/add", add.add, name="add"),
    path("b/<slug:slug>/check-in", check_in.check_in, name="check_in"),
    path("b/<slug:slug>/purchase", purchase.purchase, name="purchase"),
    path("b/<slug:slug>/usage", usage.usage, name="usage"),
    path("b/<slug:slug>/badges", badges.badges, name="badges"),
    path("b/<slug:slug>/board", board.board, name="board"),
    path("b/<slug:slug>/me", me.me, name="me"),
]
