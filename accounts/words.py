"""The words that proposed pseudonyms are made of: calm, and nobody's description."""

_ADJECTIVES = """
Amber Brisk Calm Clear Copper Crisp Dapper Early Fair Fleet Gentle Golden Hazel Humble
Ivory Jolly Keen Kind Late Lively Lucky Mellow Merry Mild Mossy Neat Night Noble Plain
Plucky Proud Quick Quiet Rapid Ready Rosy Russet Sandy Sharp Silent Silver Slow Snug
Steady Still Sunny Swift Tidy Velvet Warm Wild Winter Witty
"""

_NOUNS = """
Alder Badger Barge Beacon Bellows Birch Brook Cedar Clover Comet Crane Curlew Dipper
Dove Ember Falcon Fern Ferry Finch Fox Gale Gull Hare Harbour Hawk Hazel Heron Ibis Jay
Kestrel Kettle Kite Lantern Lark Linnet Lynx Magpie Maple Marten Mole Moth Newt Oak
Otter Owl Pebble Pike Plover Quill Rail Raven Robin Rook Rowan Seal Shrew Siskin Sparrow
Stoat Swallow Swift Teal Tern Thistle Thrush Vole Willow Wren
"""

PSEUDONYM_ADJECTIVES = tuple(_ADJECTIVES.split())
PSEUDONYM_NOUNS = tuple(_NOUNS.split())
