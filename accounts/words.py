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

# What no pseudonym says, as ``pseudonyms.fold`` writes it; English and German.

_STAFF = """
admin administrator brand chef geschaftsleitung help helpdesk inhaber kundendienst laurel leitung manager mitarbeiter
mitarbeiterin mod moderator official offiziell operator owner personal root security service staff support system team
verwaltung webmaster
"""
_IN_ANY_WORD = """
arschloch asshole bastard bitch bullshit cocksuck dickhead dildo dipshit faggot fotze fuck hitler motherfuck muschi
nigger pussy scheiss schlampe schwuchtel shitface shithead shitty wanker whore wichser
"""
_AS_A_WORD = """
anal anus arsch arse ass cock cum cunt dick dyke fag fick ficken ficker heil homo hure huren hurensohn kanake
kike muff nazi neger nigga nutte nutten penis pimmel piss porn porno prick rape rapist sau sex shit slut spast tit
titten twat vagina
"""

STAFF_WORDS = tuple(_STAFF.split())
OBSCENE_IN_ANY_WORD = tuple(_IN_ANY_WORD.split())
OBSCENE_AS_A_WORD = tuple(_AS_A_WORD.split())
