/* What there is in the world. Names of things come from CLDR (names.c); those of places are given here. */
#include "world.h"

const char *const ew_language[EW_LANGUAGES] = {"en", "de", "es", "fr", "it", "pt", "nl", "zh"};
const char *const ew_split_name[EW_SPLITS] = {"train", "validation", "test", "unseen"};

const char *const ew_kind_name[EW_KINDS] = {
    "animal", "fruit", "vegetable", "food", "vehicle", "instrument",
    "plant",  "tool",  "device",    "toy",  "clothes", "thing",
};

/* Chosen so that CLDR's short names are plain nouns, different in each language, and the glyphs look different. */
const ew_thing ew_things[EW_THINGS] = {
    {"🐕", EW_ANIMAL, NULL},        {"🐈", EW_ANIMAL, NULL},     {"🐎", EW_ANIMAL, NULL},
    {"🐄", EW_ANIMAL, NULL},        {"🐖", EW_ANIMAL, NULL},     {"🐘", EW_ANIMAL, NULL},
    {"🦒", EW_ANIMAL, NULL},     {"🐅", EW_ANIMAL, NULL},     {"🐇", EW_ANIMAL, NULL},
    {"🐁", EW_ANIMAL, "mice"},      {"🐸", EW_ANIMAL, NULL},     {"🐢", EW_ANIMAL, NULL},
    {"🐍", EW_ANIMAL, NULL},        {"🐟", EW_ANIMAL, "fish"},   {"🐋", EW_ANIMAL, NULL},
    {"🐙", EW_ANIMAL, NULL},        {"🦀", EW_ANIMAL, NULL},  {"🐌", EW_ANIMAL, NULL},
    {"🦋", EW_ANIMAL, NULL},     {"🦉", EW_ANIMAL, NULL},  {"🐧", EW_ANIMAL, NULL},
    {"🐓", EW_ANIMAL, NULL},        {"🦩", EW_ANIMAL, NULL},  {"🦓", EW_ANIMAL, NULL},
    {"🍐", EW_FRUIT, NULL},         {"🍋", EW_FRUIT, NULL},      {"🍌", EW_FRUIT, NULL},
    {"🍉", EW_FRUIT, NULL},         {"🍓", EW_FRUIT, NULL},      {"🍍", EW_FRUIT, NULL},
    {"🥥", EW_FRUIT, NULL},      {"🍑", EW_FRUIT, NULL},      {"🍅", EW_VEGETABLE, "tomatoes"},
    {"🥕", EW_VEGETABLE, NULL},  {"🍆", EW_VEGETABLE, NULL},  {"🍄", EW_VEGETABLE, NULL},
    {"🍔", EW_FOOD, NULL},          {"🍕", EW_FOOD, NULL},       {"🥐", EW_FOOD, NULL},
    {"🥨", EW_FOOD, NULL},       {"🍩", EW_FOOD, NULL},       {"🥚", EW_FOOD, NULL},
    {"🍭", EW_FOOD, NULL},          {"🚗", EW_VEHICLE, NULL},    {"🚌", EW_VEHICLE, NULL},
    {"🚜", EW_VEHICLE, NULL},       {"🚲", EW_VEHICLE, NULL},    {"🏍", EW_VEHICLE, NULL},
    {"🚂", EW_VEHICLE, NULL},       {"⛵", EW_VEHICLE, NULL},    {"✈", EW_VEHICLE, NULL},
    {"🚁", EW_VEHICLE, NULL},       {"🚀", EW_VEHICLE, NULL},    {"🎸", EW_INSTRUMENT, NULL},
    {"🎺", EW_INSTRUMENT, NULL},    {"🎷", EW_INSTRUMENT, NULL}, {"🥁", EW_INSTRUMENT, NULL},
    {"🪗", EW_INSTRUMENT, NULL}, {"🌵", EW_PLANT, "cacti"},   {"🌻", EW_PLANT, NULL},
    {"🌷", EW_PLANT, NULL},         {"🔨", EW_TOOL, NULL},       {"🔑", EW_TOOL, NULL},
    {"⏰", EW_DEVICE, NULL},        {"📷", EW_DEVICE, NULL},     {"📺", EW_DEVICE, NULL},
    {"☎", EW_DEVICE, NULL},        {"🎈", EW_TOY, NULL},        {"🧸", EW_TOY, NULL},
    {"⚽", EW_TOY, NULL},           {"🏀", EW_TOY, NULL},        {"🎩", EW_CLOTHES, NULL},
    {"👗", EW_CLOTHES, NULL},       {"👑", EW_CLOTHES, NULL},    {"🪑", EW_OTHER, NULL},
    {"🔔", EW_OTHER, NULL},         {"☂", EW_OTHER, NULL},      {"⚓", EW_OTHER, NULL},
};

const char *const ew_place_name[EW_PLACES] = {
    "beach", "meadow", "snow", "sea", "road", "night sky", "room", "forest", "desert", "mountains", "city", "water",
};

const char *const ew_place_phrase[EW_PLACES][EW_LANGUAGES] = {
    {"on the beach", "am Strand", "en la playa", "sur la plage", "sulla spiaggia", "na praia", "op het strand",
     "沙滩上"},
    {"in the meadow", "auf der Wiese", "en el prado", "dans le pré", "sul prato", "no prado", "in de wei", "草地上"},
    {"in the snow", "im Schnee", "en la nieve", "dans la neige", "nella neve", "na neve", "in de sneeuw", "雪地里"},
    {"on the sea", "auf dem Meer", "en el mar", "sur la mer", "sul mare", "no mar", "op zee", "海面上"},
    {"on the road", "auf der Straße", "en la carretera", "sur la route", "sulla strada", "na estrada", "op de weg",
     "公路上"},
    {"in the night sky", "am Nachthimmel", "en el cielo nocturno", "dans le ciel nocturne", "nel cielo notturno",
     "no céu noturno", "aan de nachthemel", "夜空中"},
    {"in the room", "im Zimmer", "en la habitación", "dans la pièce", "nella stanza", "na sala", "in de kamer",
     "房间里"},
    {"in the forest", "im Wald", "en el bosque", "dans la forêt", "nella foresta", "na floresta", "in het bos",
     "森林里"},
    {"in the desert", "in der Wüste", "en el desierto", "dans le désert", "nel deserto", "no deserto", "in de woestijn",
     "沙漠里"},
    {"in the mountains", "in den Bergen", "en las montañas", "à la montagne", "in montagna", "nas montanhas",
     "in de bergen", "山里"},
    {"in the city", "in der Stadt", "en la ciudad", "en ville", "in città", "na cidade", "in de stad", "城市里"},
    {"under water", "unter Wasser", "bajo el agua", "sous l’eau", "sott’acqua", "debaixo d’água", "onder water",
     "水下"},
};

/* One place of each thing, so that every place lacks six or seven things, of all kinds. */
bool ew_is_unseen_pair(int thing, int place)
{
    return thing < EW_THINGS && (thing * 5 + thing / EW_PLACES) % EW_PLACES == place;
}
