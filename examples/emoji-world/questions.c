/*
 * Questions and answers. Where answers are few ("yes", "2"), the questions are chosen so that each of them is as
 * frequent as the others: who answers without looking is right half the time, or a fifth.
 */
#include "world.h"

/* In the other languages, forms that need no gender or plural: %s is a name. English asks in sentences instead. */
static const struct phrases {
    const char *where, *count, *exists, *yes, *no;
} phrases[EW_LANGUAGES] = {
    {"where is this?", NULL, NULL, "yes", "no"},
    {"Wo ist das?", "Wie oft: %s?", "Gibt es das hier: %s?", "ja", "nein"},
    {"¿Dónde es esto?", "¿Cuántas veces: %s?", "¿Hay esto aquí: %s?", "sí", "no"},
    {"Où est-ce ?", "Combien de fois : %s ?", "Y a-t-il ceci ici : %s ?", "oui", "non"},
    {"Dove siamo?", "Quante volte: %s?", "C’è questo qui: %s?", "sì", "no"},
    {"Onde é isto?", "Quantas vezes: %s?", "Há isto aqui: %s?", "sim", "não"},
    {"Waar is dit?", "Hoe vaak: %s?", "Is dit er: %s?", "ja", "nee"},
    {"这是哪里？", "有几个：%s？", "这里有吗：%s？", "有", "没有"},
};

/* How likely a number is asked for: the inverse of how often scenes have it, by the table in scene.c. */
static const double asked[] = {0.07, 0.09, 0.40, 0.78, 1};

/* Everything that a question needs. */
typedef struct interview {
    const ew_scene *scene;
    ew_chance *chance;
    ew_question *out;
    int count;
    int things[EW_OBJECTS], thing_count; /* of the scene, from left to right */
} interview;

static ew_question *add(interview *asker, const char *type)
{
    ew_question *question = &asker->out[asker->count++];
    *question = (ew_question){.type = type};
    return question;
}

/* A thing that is not in the scene: often of a kind that is. */
static int choose_absent(const interview *asker)
{
    const ew_scene *scene = asker->scene;
    int beside = scene->objects[ew_below(asker->chance, scene->count)].thing;
    bool alike = beside != EW_SIGN && ew_happens(asker->chance, 0.6);
    for (int tries = 0;; tries++) { /* all of a kind may be there */
        int thing = ew_below(asker->chance, EW_THINGS);
        bool fits = !alike || tries > 100 || ew_things[thing].kind == ew_things[beside].kind;
        if (ew_count(scene, thing) == 0 && fits)
            return thing;
    }
}

static int choose_present(const interview *asker)
{
    return asker->things[ew_below(asker->chance, asker->thing_count)];
}

static void ask_where(interview *asker)
{
    int thing = choose_present(asker);
    bool several = ew_count(asker->scene, thing) > 1;
    ew_question *it = add(asker, "where");
    if (ew_happens(asker->chance, 0.25))
        ew_append(it->question, "%s", phrases[EW_ENGLISH].where);
    else
        ew_append(it->question, "where %s the %s?", several ? "are" : "is",
                  several ? ew_plural(thing) : ew_name(thing, EW_ENGLISH));
    ew_append(it->answer, "%s", ew_place_phrase[asker->scene->place][EW_ENGLISH]);
}

/* The thing to be counted, or -1: nothing to be asked this time. */
static int choose_counted(const interview *asker)
{
    int thing = choose_present(asker);
    if (ew_happens(asker->chance, asked[0]))
        return choose_absent(asker);
    bool ask = thing != EW_SIGN && ew_happens(asker->chance, asked[ew_count(asker->scene, thing)]);
    return ask ? thing : -1;
}

static void ask_count(interview *asker, int language)
{
    int thing = choose_counted(asker);
    if (thing < 0)
        return;
    ew_question *it = add(asker, "count");
    if (language == EW_ENGLISH)
        ew_append(it->question, "how many %s are there?", ew_plural(thing));
    else
        ew_append(it->question, phrases[language].count, ew_name(thing, language));
    ew_append(it->answer, "%d", ew_count(asker->scene, thing));
}

static void ask_exists(interview *asker, int language)
{
    int there = choose_present(asker);
    if (there == EW_SIGN)
        return;
    bool yes = ew_happens(asker->chance, 0.5);
    int thing = yes ? there : choose_absent(asker);
    const char *name = ew_name(thing, language);
    ew_question *it = add(asker, "exists");
    if (language == EW_ENGLISH)
        ew_append(it->question, "is there %s %s?", ew_article(name), name);
    else
        ew_append(it->question, phrases[language].exists, name);
    ew_append(it->answer, "%s", yes ? phrases[language].yes : phrases[language].no);
}

/* Of two neighbours from left to right, both alone of their kind. */
static void ask_side(interview *asker)
{
    const ew_scene *scene = asker->scene;
    if (scene->count < 2)
        return;
    int at = ew_below(asker->chance, scene->count - 1);
    int left = scene->objects[scene->order[at]].thing, right = scene->objects[scene->order[at + 1]].thing;
    if (ew_count(scene, left) > 1 || ew_count(scene, right) > 1)
        return;
    bool swap = ew_happens(asker->chance, 0.5);
    int first = swap ? right : left, second = swap ? left : right;
    if (ew_happens(asker->chance, 0.5)) {
        bool says_left = ew_happens(asker->chance, 0.5);
        ew_question *it = add(asker, "side");
        ew_append(it->question, "is the %s %s of the %s?", ew_name(first, EW_ENGLISH), says_left ? "left" : "right",
                  ew_name(second, EW_ENGLISH));
        ew_append(it->answer, "%s", says_left != swap ? "yes" : "no");
    } else if (swap ? at + 2 == scene->count : at == 0) { /* nothing else on that side */
        ew_question *it = add(asker, "beside");
        ew_append(it->question, "what is %s of the %s?", swap ? "right" : "left", ew_name(second, EW_ENGLISH));
        ew_append(it->answer, "%s", ew_name(first, EW_ENGLISH));
    }
}

/* "which animal is there?", where there are animals of one sort only; "what kind of thing is the dog?" */
static void ask_kind(interview *asker)
{
    int thing = choose_present(asker), others = 0;
    if (thing == EW_SIGN || ew_things[thing].kind == EW_OTHER)
        return;
    ew_kind kind = ew_things[thing].kind;
    const char *name = ew_name(thing, EW_ENGLISH);
    for (int i = 0; i < asker->thing_count; i++)
        others += asker->things[i] != EW_SIGN && asker->things[i] != thing && ew_things[asker->things[i]].kind == kind;
    ew_question *it = add(asker, "kind");
    if (others == 0 && kind != EW_CLOTHES && kind != EW_FOOD && ew_happens(asker->chance, 0.8)) {
        ew_append(it->question, "which %s is there?", ew_kind_name[kind]);
        ew_append(it->answer, "%s", name);
    } else {
        ew_append(it->question, "what kind of thing is the %s?", name);
        ew_append(it->answer, "%s", ew_kind_name[kind]);
    }
}

static void ask_sign(interview *asker)
{
    if (!asker->scene->has_sign)
        return;
    ew_question *it = add(asker, "color");
    ew_append(it->question, "what color is the sign?");
    ew_append(it->answer, "%s", ew_color_name[asker->scene->sign.color]);
    it = add(asker, "read");
    ew_append(it->question, "what does the sign say?");
    ew_sign_text(it->answer, &asker->scene->sign, "\n");
}

int ew_ask(ew_question out[EW_QUESTIONS], const ew_scene *scene, int language, ew_chance *chance)
{
    interview asker = {.scene = scene, .chance = chance, .out = out};
    asker.thing_count = ew_list_things(asker.things, scene);
    if (language != EW_ENGLISH) {
        ew_question *it = add(&asker, "where");
        ew_append(it->question, "%s", phrases[language].where);
        ew_append(it->answer, "%s", ew_place_phrase[scene->place][language]);
        ask_count(&asker, language);
        ask_exists(&asker, language);
        return asker.count;
    }
    if (ew_happens(chance, 0.5))
        ask_where(&asker);
    ask_count(&asker, language);
    ask_exists(&asker, language);
    ask_side(&asker);
    if (ew_happens(chance, 0.5))
        ask_kind(&asker);
    ask_sign(&asker);
    return asker.count;
}
