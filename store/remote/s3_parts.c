/*
 * s3_parts.c - putting a large object in parts, several at once
 *
 * The plan: create an upload; put its parts; complete it, which makes the object appear. Each part
 * is read from the source as it is sent, so memory does not depend on its size. After a failure the
 * upload is aborted, because the server would keep, and charge for, its parts.
 *
 * If the abort fails too, the parts stay. A lifecycle rule of the bucket removes such.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "remote/bucket_source.h"
#include "remote/remote_detail.h"
#include "remote/remote_xml.h"
#include "remote/s3.h"
#include "remote/s3_error.h"

#define PARTS_MAX 10000
#define ETAG_BYTES 80
#define PART_BYTES_MAX (UINT64_C(5) << 30)
#define OBJECT_BYTES_MAX (UINT64_C(5) << 40)

struct upload {
        struct s3 *s3;
        const char *name;
        const struct bucket_source *source;
        uint64_t part_bytes;
        size_t part_count, begun;
        struct etag {
                char text[ETAG_BYTES];
        } * etags; /* by part, without quotes */
        struct text id;
        struct bucket_reply *reply;
};

/* One part on its way. Its job finds it again: that is in the call, which is first. */
struct part {
        struct s3_call call;
        size_t index;
        struct bucket_source source;
        struct text query;
};

static struct part *part_of(struct http_job *job)
{
        return (struct part *)(void *)((char *)job - offsetof(struct part, call.job));
}

static void part_free(struct part *part)
{
        s3_call_free(&part->call);
        text_free(&part->query);
        free(part);
}

static int prepare_part(const struct upload *upload, struct part *part)
{
        uint64_t at = part->index * upload->part_bytes, left = upload->source->size - at;

        part->source = source_part(upload->source, at,
                                   left < upload->part_bytes ? left : upload->part_bytes);
        text_printf(&part->query, "partNumber=%zu&uploadId=", part->index + 1);
        text_add_escaped(&part->query, text_string(&upload->id));
        part->call.s3 = upload->s3;
        part->call.method = "PUT";
        part->call.name = upload->name;
        part->call.query = text_string(&part->query);
        part->call.unsigned_body = true;
        part->call.job.request.source = &part->source;
        return text_check(&part->query) < 0 ? -ENOMEM : s3_call_prepare(&part->call);
}

static int next_part(void *context, struct http_job **ret_job)
{
        struct upload *upload = context;
        struct part *part;
        int r;

        if (upload->begun == upload->part_count)
                return 0;
        part = calloc(1, sizeof(*part));
        if (!part)
                return remote_detail(-ENOMEM, "out of memory");
        part->index = upload->begun++;
        r = prepare_part(upload, part);
        if (r < 0) {
                part_free(part);
                return r;
        }
        *ret_job = &part->call.job;
        return 0;
}

/* It goes into XML, so nothing else than what all servers use. */
static int keep_etag(const char *etag, struct etag *ret)
{
        size_t size = strlen(etag);

        if (size >= 2 && etag[0] == '"' && etag[size - 1] == '"') {
                etag++;
                size -= 2;
        }
        if (!size || size >= ETAG_BYTES || strcspn(etag, "<>&\"' ") < size)
                return remote_detail(-EIO, "a part without a sensible ETag");
        memcpy(ret->text, etag, size);
        ret->text[size] = 0;
        return 0;
}

static int part_done(void *context, struct http_job *job, int result)
{
        struct upload *upload = context;
        struct part *part = part_of(job);
        int r = s3_call_judge(&part->call, result, upload->reply);

        if (r == 0)
                r = keep_etag(job->answer.etag, &upload->etags[part->index]);
        if (r < 0)
                r = remote_detail_within(r, "part %zu of %zu", part->index + 1, upload->part_count);
        part_free(part);
        return r;
}

static void drop_part(void *context, struct http_job *job)
{
        (void)context;
        part_free(part_of(job));
}

static int put_parts(struct upload *upload)
{
        const struct http_batch batch = { .at_once = upload->source->connections
                                                             ? upload->source->connections
                                                             : upload->s3->connections,
                                          .next = next_part,
                                          .done = part_done,
                                          .drop = drop_part,
                                          .context = upload };

        return http_perform_many(upload->s3->http, &batch);
}

static int take_id(void *context, const char *path, const char *text)
{
        struct text *id = context;

        if (text && strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0) {
                text_clear(id);
                text_add(id, text);
        }
        return text_check(id);
}

static int create(struct upload *upload)
{
        const struct bucket_source nothing = { .bytes = "" };
        struct s3_call call = { .s3 = upload->s3,
                                .method = "POST",
                                .name = upload->name,
                                .query = "uploads=",
                                .job.request.source = &nothing };
        int r = s3_call(&call, upload->reply);

        if (r == 0)
                r = xml_read(text_string(&call.job.answer.body), call.job.answer.body.size, take_id,
                             &upload->id);
        if (r == 0 && !upload->id.size)
                r = remote_detail(-EIO, "the server gave no UploadId");
        s3_call_free(&call);
        return r;
}

static int id_query(const struct upload *upload, struct text *ret)
{
        text_add(ret, "uploadId=");
        text_add_escaped(ret, text_string(&upload->id));
        return text_check(ret);
}

static int compose(const struct upload *upload, struct text *ret)
{
        text_add(ret, "<CompleteMultipartUpload "
                      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for (size_t i = 0; i < upload->part_count; i++)
                text_printf(ret, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>", i + 1,
                            upload->etags[i].text);
        text_add(ret, "</CompleteMultipartUpload>");
        return text_check(ret);
}

static int find_result(void *context, const char *path, const char *text)
{
        (void)text;
        if (strcmp(path, "CompleteMultipartUploadResult") == 0)
                *(bool *)context = true;
        return 0;
}

/* The server sends status 200 before it begins, so a failure can be in the body. */
static int check_completed(const struct upload *upload, const struct http_answer *answer)
{
        bool found = false;
        int r = s3_error_inside(answer, text_string(&upload->s3->place.region));

        if (r == 0)
                r = xml_read(text_string(&answer->body), answer->body.size, find_result, &found);
        if (r == 0 && !found)
                r = remote_detail(-EIO, "the server did not say that the parts are joined");
        return r > 0 ? -EAGAIN : r;
}

static int complete(struct upload *upload)
{
        struct text body = { 0 }, query = { 0 };
        struct bucket_source source = { 0 };
        struct s3_call call = { .s3 = upload->s3,
                                .method = "POST",
                                .name = upload->name,
                                .job.request.source = &source };
        int r = compose(upload, &body);

        if (r == 0)
                r = id_query(upload, &query);
        if (r == 0) {
                source = (struct bucket_source){ .bytes = body.bytes, .size = body.size };
                call.query = text_string(&query);
                call.more[0] = (struct sign_header){ "content-type", "application/xml" };
                r = s3_call(&call, upload->reply);
        }
        if (r == 0)
                r = check_completed(upload, &call.job.answer);
        s3_call_free(&call);
        text_free(&body);
        text_free(&query);
        return r;
}

/* Its own failure is no news: the one before it is. */
static int abandon(const struct upload *upload, int failure)
{
        struct text query = { 0 }, line = { 0 };
        struct s3_call call = { .s3 = upload->s3, .method = "DELETE", .name = upload->name };

        text_add(&line, remote_detail_line());
        if (id_query(upload, &query) == 0) {
                call.query = text_string(&query);
                s3_call(&call, NULL);
        }
        failure = remote_detail(failure, "%s", text_string(&line));
        s3_call_free(&call);
        text_free(&query);
        text_free(&line);
        return failure;
}

/* Parts of the usual size, or larger ones if those would be too many. */
static int plan(struct upload *upload)
{
        uint64_t size = upload->source->size, least = (size + PARTS_MAX - 1) / PARTS_MAX;

        if (size > OBJECT_BYTES_MAX)
                return remote_detail(-EMSGSIZE, "more than 5 TiB");
        upload->part_bytes = upload->s3->part_bytes;
        if (upload->part_bytes < least)
                upload->part_bytes = least;
        if (upload->part_bytes > PART_BYTES_MAX)
                upload->part_bytes = PART_BYTES_MAX;
        upload->part_count = (size + upload->part_bytes - 1) / upload->part_bytes;
        upload->etags = calloc(upload->part_count, sizeof(*upload->etags));
        return upload->etags ? 0 : remote_detail(-ENOMEM, "out of memory");
}

static void upload_free(struct upload *upload)
{
        free(upload->etags);
        text_free(&upload->id);
}

int s3_put_parts(struct s3 *s3, const char *name, const struct bucket_source *source,
                 struct bucket_reply *ret_reply)
{
        struct upload upload = { .s3 = s3, .name = name, .source = source, .reply = ret_reply };
        int r = plan(&upload);

        if (r == 0)
                r = create(&upload);
        if (r == 0) {
                r = put_parts(&upload);
                if (r == 0)
                        r = complete(&upload);
                if (r < 0)
                        r = abandon(&upload, r);
        }
        upload_free(&upload);
        return r;
}
