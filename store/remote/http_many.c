/*
 * http_many.c - several requests at once, in the caller's thread
 *
 * Each slot has one request on its way. A slot whose request has ended gets the next one. After the
 * first failure the others are dropped.
 */
#include <errno.h>
#include <stdlib.h>

#include "remote/http_exchange.h"
#include "remote/http_pool.h"
#include "remote/remote_detail.h"

struct slot {
        CURL *easy; /* NULL: the slot is free */
        struct http_job *job;
        struct http_exchange exchange;
};

struct many {
        struct http *http;
        const struct http_batch *batch;
        CURLM *multi;
        struct slot *slots;
        size_t busy;
        bool ended; /* there are no more jobs */
};

static int start(struct many *many, struct slot *slot, struct http_job *job)
{
        int r;

        slot->job = job;
        slot->easy = http_take_easy(many->http);
        if (!slot->easy) {
                many->batch->drop(many->batch->context, job);
                return remote_detail(-ENOMEM, "out of memory");
        }
        many->busy++;
        r = http_exchange_start(&slot->exchange, slot->easy, &job->request,
                                http_patience_ms(many->http), &job->answer);
        if (r == 0 && curl_multi_add_handle(many->multi, slot->easy) != CURLM_OK)
                r = remote_detail(-ENOMEM, "out of memory");
        return r;
}

static int fill(struct many *many)
{
        int r = 0;

        for (size_t i = 0; r == 0 && !many->ended && i < many->batch->at_once; i++) {
                struct http_job *job = NULL;

                if (many->slots[i].easy)
                        continue;
                r = many->batch->next(many->batch->context, &job);
                if (r == 0 && job)
                        r = start(many, &many->slots[i], job);
                many->ended = !job;
        }
        return r;
}

static void free_slot(struct many *many, struct slot *slot)
{
        curl_multi_remove_handle(many->multi, slot->easy);
        http_give_easy(many->http, slot->easy);
        slot->easy = NULL;
        many->busy--;
}

static struct slot *slot_of(struct many *many, CURL *easy)
{
        size_t i = 0;

        while (many->slots[i].easy != easy)
                i++;
        return &many->slots[i];
}

/* Tell of all that have ended. */
static int collect(struct many *many)
{
        CURLMsg *message;
        int left, r = 0;

        while (r == 0 && (message = curl_multi_info_read(many->multi, &left))) {
                struct slot *slot = slot_of(many, message->easy_handle);

                r = http_exchange_end(&slot->exchange, slot->easy, message->data.result);
                free_slot(many, slot);
                r = many->batch->done(many->batch->context, slot->job, r);
        }
        return r;
}

static int step(struct many *many)
{
        CURLMcode code;
        int running;

        code = curl_multi_perform(many->multi, &running);
        if (code == CURLM_OK && running)
                code = curl_multi_poll(many->multi, NULL, 0, 1000, NULL);
        if (code != CURLM_OK)
                return remote_detail(-EIO, "libcurl: %s", curl_multi_strerror(code));
        return collect(many);
}

static void drop_all(struct many *many)
{
        for (size_t i = 0; i < many->batch->at_once; i++) {
                struct slot *slot = &many->slots[i];

                if (!slot->easy)
                        continue;
                curl_multi_remove_handle(many->multi, slot->easy);
                curl_slist_free_all(slot->exchange.headers);
                http_give_easy(many->http, slot->easy);
                slot->easy = NULL;
                many->batch->drop(many->batch->context, slot->job);
        }
}

int http_perform_many(struct http *http, const struct http_batch *batch)
{
        struct many many = { .http = http, .batch = batch };
        int r = 0;

        many.slots = calloc(batch->at_once, sizeof(*many.slots));
        many.multi = http_take_multi(http);
        if (!many.slots || !many.multi)
                r = remote_detail(-ENOMEM, "out of memory");
        while (r == 0) {
                r = fill(&many);
                if (r || (many.ended && many.busy == 0))
                        break;
                r = step(&many);
        }
        if (many.slots)
                drop_all(&many);
        if (many.multi)
                http_give_multi(http, many.multi);
        free(many.slots);
        return r;
}
