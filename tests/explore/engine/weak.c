/* SPDX-License-Identifier: MIT */
/* Atomic accesses under the C11 orders and nothing more, as an operational model with views (after
   Kang and others, "A promising semantics for relaxed-memory concurrency", 2017, without promises).

   A place is an atomic word. It has a history of writes, numbered; a view says for every place how
   much of its history one knows. A thread's load may see any write that is not older than its view;
   an acquire load of a write that was a release takes over the view which the writer had then.
   Read- modify-writes see the last write, and hand on the view of the write they replace (a release
   sequence). A fence, and every call of the kernel, exchanges views with one that all fences share.

   Views also count each thread's releases, which tells for two plain accesses whether one happened
   before the other: if neither did and one is a write, that is a data race and a failure. Looked
   for in memory that the scenario has named and in what the locks map.

   What it does not show: a load that sees a store which comes later in another thread's program
   order by way of speculation (load buffering), and stores to one place that take effect in another
   order than they were made (a write in the middle of a history). */
#include "weak.h"

#include <string.h>

#define PLACES 72u
#define VIEW (PLACES + EXPLORE_THREADS) /* places first, then the threads' releases */
#define MESSAGES 160u
#define PLAIN 320u

struct view {
    uint8_t at[VIEW];
};

/* A write that somebody may still see, or the view of a place's last one. */
struct message {
    uint64_t value;
    uint8_t place;
    uint8_t number;
    struct view view;
};

struct record {
    uint8_t writer;  /* thread + 1; 0: nobody */
    uint8_t written; /* the writer's releases then, + 1 */
    uint8_t read[EXPLORE_THREADS];
};

/* The state. */
static struct weak {
    struct view now[EXPLORE_THREADS];      /* what the thread knows */
    struct view seen[EXPLORE_THREADS];     /* ... and would know by a fence */
    struct view released[EXPLORE_THREADS]; /* what it knew at its last fence */
    struct view fences;
    uint8_t last[PLACES];
    uint32_t message_count;
    struct message messages[MESSAGES];
} weak;

static struct record records[PLAIN];

/* Which number belongs to which address: kept over all schedules of a scenario, so that equal
   states look equal. */
static struct {
    uintptr_t at;
    unsigned size;
} places[PLACES];
static unsigned place_count;
static uintptr_t plain_at[PLAIN];
static unsigned plain_count;

void weak_reset(void)
{
    memset(&weak, 0, sizeof weak);
    memset(records, 0, sizeof records);
    place_count = 0;
    plain_count = 0;
}

static unsigned place_of(const void *at, unsigned size)
{
    for (unsigned i = 0; i < place_count; i++)
        if ((uintptr_t)at - places[i].at < places[i].size)
            return i;
    if (place_count == PLACES)
        explore_fail("more atomic words than this mode can follow");
    places[place_count].at = (uintptr_t)at;
    places[place_count].size = size;
    return place_count++;
}

static void join(struct view *view, const struct view *other)
{
    for (unsigned i = 0; i < VIEW; i++)
        if (other->at[i] > view->at[i])
            view->at[i] = other->at[i];
}

static struct message *find(unsigned place, unsigned number)
{
    for (uint32_t i = 0; i < weak.message_count; i++)
        if (weak.messages[i].place == place && weak.messages[i].number == number)
            return &weak.messages[i];
    return NULL;
}

static void drop(struct message *message)
{
    *message = weak.messages[--weak.message_count];
    memset(&weak.messages[weak.message_count], 0, sizeof *message);
}

/* Forgets the writes that nobody can see any more. */
static void forget_old(unsigned place)
{
    uint8_t known = weak.last[place];

    for (unsigned i = 0; i < world.count; i++)
        if (world.threads[i].state != THREAD_DONE && weak.now[i].at[place] < known)
            known = weak.now[i].at[place];
    for (uint32_t i = weak.message_count; i > 0; i--)
        if (weak.messages[i - 1].place == place && weak.messages[i - 1].number < known)
            drop(&weak.messages[i - 1]);
}

static struct message *add(unsigned place, unsigned number, uint64_t value)
{
    struct message *message;

    if (weak.message_count == MESSAGES || number == UINT8_MAX)
        explore_fail("more writes than this mode can follow");
    message = &weak.messages[weak.message_count++];
    memset(message, 0, sizeof *message);
    message->place = (uint8_t)place;
    message->number = (uint8_t)number;
    message->value = value;
    return message;
}

/* Appends a write; what the place held before stays to be seen. Returns the new one's view. */
static struct view *append(unsigned place, uint64_t old, uint64_t value)
{
    unsigned number = weak.last[place];

    if (!find(place, number))
        add(place, number, old);
    weak.last[place] = (uint8_t)(number + 1);
    return &add(place, number + 1, value)->view;
}

static bool acquires(int order)
{
    return order == SIM_ACQUIRE || order >= SIM_ACQ_REL;
}

static bool releases(int order)
{
    return order >= SIM_RELEASE;
}

/* The thread has seen this write. */
static void learn(unsigned self, unsigned place, unsigned number, const struct message *message,
                  int order)
{
    weak.now[self].at[place] = (uint8_t)number;
    if (message)
        join(acquires(order) ? &weak.now[self] : &weak.seen[self], &message->view);
}

/* The view that a write of the thread's carries. */
static void publish(unsigned self, unsigned place, struct view *view, int order)
{
    uint8_t *own_releases = &weak.now[self].at[PLACES + self];

    weak.now[self].at[place] = weak.last[place];
    if (releases(order) && *own_releases < UINT8_MAX)
        ++*own_releases;
    join(view, releases(order) ? &weak.now[self] : &weak.released[self]);
    view->at[place] = weak.last[place];
}

/* Which writes a load may see, as numbers counted back from the last one. */
static unsigned choices(unsigned self, unsigned place, int order)
{
    unsigned from = weak.now[self].at[place];
    unsigned oldest = weak.last[place];

    if (order == SIM_SEQ_CST && weak.fences.at[place] > from)
        from = weak.fences.at[place];
    while (oldest > from && find(place, oldest - 1))
        oldest--;
    return weak.last[place] - oldest + 1;
}

uint64_t weak_load(const void *at, unsigned size, int order)
{
    unsigned self = session.current;
    unsigned place = place_of(at, size);
    unsigned n = choices(self, place, order);
    unsigned number = weak.last[place] - (n > 1 ? explore_choose(n, "how old a value it sees") : 0);
    const struct message *message = find(place, number);
    uint64_t value = number == weak.last[place] || !message ? order_peek(at, size) : message->value;

    learn(self, place, number, message, order);
    forget_old(place);
    return value;
}

void weak_store(void *at, unsigned size, uint64_t value, int order)
{
    unsigned self = session.current;
    unsigned place = place_of(at, size);

    publish(self, place, append(place, order_peek(at, size), value), order);
    forget_old(place);
    order_write(self, at, size, value);
}

static void replace(unsigned self, void *at, unsigned size, uint64_t value, int order)
{
    unsigned place = place_of(at, size);
    unsigned number = weak.last[place];
    const struct message *message = find(place, number);
    struct view handed_on = {{0}};
    struct view *view;

    if (message)
        handed_on = message->view;
    learn(self, place, number, message, order);
    view = append(place, order_peek(at, size), value);
    publish(self, place, view, order);
    join(view, &handed_on);
    if (order == SIM_SEQ_CST)
        weak.fences.at[place] = weak.last[place];
    forget_old(place);
    order_write(self, at, size, value);
}

/* A failure is a relaxed load, perhaps of an older write; only the last one can be replaced. */
bool weak_cas(void *at, unsigned size, uint64_t *old, uint64_t new, int order)
{
    unsigned self = session.current;
    unsigned place = place_of(at, size);
    unsigned n = choices(self, place, SIM_RELAXED);
    unsigned possible[UINT8_MAX];
    unsigned count = 0;
    unsigned number;
    const struct message *message;

    for (unsigned back = 0; back < n; back++) {
        message = find(place, weak.last[place] - back);
        if (back == 0 || (message && message->value != *old))
            possible[count++] = weak.last[place] - back;
    }
    if (order_peek(at, size) == *old && count == 1) {
        replace(self, at, size, new, order);
        return true;
    }
    number = possible[count > 1 ? explore_choose(count, "how old a value it sees") : 0];
    if (number == weak.last[place] && order_peek(at, size) == *old) {
        replace(self, at, size, new, order);
        return true;
    }
    message = find(place, number);
    *old = number == weak.last[place] || !message ? order_peek(at, size) : message->value;
    learn(self, place, number, message, SIM_RELAXED);
    forget_old(place);
    return false;
}

uint64_t weak_rmw(void *at, unsigned size, int operation, uint64_t operand, int order)
{
    uint64_t old = order_peek(at, size);

    replace(session.current, at, size, order_apply(operation, old, operand, size), order);
    return old;
}

void weak_fence(unsigned self)
{
    join(&weak.now[self], &weak.seen[self]);
    join(&weak.now[self], &weak.fences);
    if (weak.now[self].at[PLACES + self] < UINT8_MAX)
        weak.now[self].at[PLACES + self]++;
    weak.fences = weak.now[self];
    weak.released[self] = weak.now[self];
}

void weak_fence_all(void)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < world.count; i++)
            weak_fence(i);
}

/* The last value: one that sleeps on an older value sleeps as if it had come before the change, and
   the waker's call, if it makes one, is ordered behind its change by barriers of the kernel's. */
uint32_t weak_kernel_load(const fs_word *w)
{
    unsigned place = place_of(w, sizeof *w);

    weak.now[session.current].at[place] = weak.last[place];
    forget_old(place);
    return (uint32_t)order_peek(w, sizeof *w);
}

void weak_kernel_wrote(unsigned thread, const fs_word *w, uint32_t old)
{
    unsigned place = place_of(w, sizeof *w);
    const struct message *replaced = find(place, weak.last[place]);
    struct view *view;

    if (replaced)
        join(&weak.now[thread], &replaced->view);
    weak_fence(thread);
    view = append(place, old, (uint32_t)order_peek(w, sizeof *w));
    publish(thread, place, view, SIM_SEQ_CST);
    weak.fences.at[place] = weak.last[place];
    forget_old(place);
}

void weak_forget(const void *from, size_t size)
{
    for (unsigned place = 0; place < place_count; place++) {
        if (places[place].at - (uintptr_t)from >= size)
            continue;
        for (uint32_t i = weak.message_count; i > 0; i--)
            if (weak.messages[i - 1].place == place)
                drop(&weak.messages[i - 1]);
        for (unsigned i = 0; i < EXPLORE_THREADS; i++)
            weak.now[i].at[place] = weak.last[place];
    }
    for (unsigned i = 0; i < plain_count; i++)
        if (plain_at[i] - (uintptr_t)from < size)
            memset(&records[i], 0, sizeof records[i]);
}

/* ---- plain accesses --------------------------------------------------------------------- */

static unsigned plain_of(uintptr_t at)
{
    for (unsigned i = 0; i < plain_count; i++)
        if (plain_at[i] == at)
            return i;
    if (plain_count == PLAIN)
        explore_fail("more plain variables than this mode can follow");
    plain_at[plain_count] = at;
    return plain_count++;
}

static void refuse_race(const void *at, unsigned other, const char *how)
{
    char name[96];

    explore_fail("data race: thread %u %s %s after thread %u, and nothing orders the two",
                 session.current, how, trace_name(at, name, sizeof name), other);
}

/* Fields are told apart by where they begin: each is always accessed as a whole. */
void weak_plain(const void *at, size_t size, bool writes)
{
    unsigned self = session.current;
    const struct view *now = &weak.now[self];
    struct record *record;

    if (!trace_has_name(at))
        return;
    record = &records[plain_of((uintptr_t)at)];
    if (record->writer != 0 && record->writer != self + 1 &&
        now->at[PLACES + record->writer - 1u] < record->written)
        refuse_race(at, record->writer - 1u, writes ? "writes" : "reads");
    for (unsigned i = 0; writes && i < EXPLORE_THREADS; i++)
        if (i != self && now->at[PLACES + i] < record->read[i])
            refuse_race(at, i, "writes");
    if (writes) {
        memset(record, 0, sizeof *record);
        record->writer = (uint8_t)(self + 1);
        record->written = (uint8_t)(now->at[PLACES + self] + 1);
    } else {
        record->read[self] = (uint8_t)(now->at[PLACES + self] + 1);
    }
}

/* ---- saving ------------------------------------------------------------------------------- */

static size_t used_part(void)
{
    return offsetof(struct weak, messages) + weak.message_count * sizeof weak.messages[0];
}

size_t weak_saved_size(void)
{
    return sizeof plain_count + used_part() + plain_count * sizeof records[0];
}

unsigned char *weak_save(unsigned char *to)
{
    memcpy(to, &plain_count, sizeof plain_count);
    to += sizeof plain_count;
    memcpy(to, &weak, used_part());
    to += used_part();
    memcpy(to, records, plain_count * sizeof records[0]);
    return to + plain_count * sizeof records[0];
}

/* There may be more plain variables by now than there were: nobody had used those. */
const unsigned char *weak_restore(const unsigned char *from)
{
    unsigned count;

    memcpy(&count, from, sizeof count);
    from += sizeof count;
    memcpy(&weak, from, offsetof(struct weak, messages));
    memcpy(&weak, from, used_part());
    from += used_part();
    memcpy(records, from, count * sizeof records[0]);
    memset(records + count, 0, (plain_count - count) * sizeof records[0]);
    return from + count * sizeof records[0];
}

/* The order of messages and records has no meaning. */
uint64_t weak_hash(void)
{
    uint64_t hash = memory_hash_bytes(2, &weak.fences, sizeof weak.fences);
    uint64_t sum = 0;

    hash = memory_hash_bytes(hash, weak.last, sizeof weak.last);
    for (unsigned i = 0; i < world.count; i++) {
        if (world.threads[i].state == THREAD_DONE)
            continue;
        hash = memory_hash_bytes(hash, &weak.now[i], sizeof weak.now[i]);
        hash = memory_hash_bytes(hash, &weak.seen[i], sizeof weak.seen[i]);
        hash = memory_hash_bytes(hash, &weak.released[i], sizeof weak.released[i]);
    }
    for (uint32_t i = 0; i < weak.message_count; i++)
        sum += memory_hash_bytes(3, &weak.messages[i], sizeof weak.messages[i]);
    for (unsigned i = 0; i < plain_count; i++)
        sum += memory_hash_bytes(4 + i, &records[i], sizeof records[i]);
    return hash ^ sum;
}
