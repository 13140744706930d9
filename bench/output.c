/*
 * output.c - a result as a line of the table, and as a JSON object
 *
 * A ratio is ours by theirs, so below 1 is worse, but for times and bytes, where it is better.
 */
#include "bench.h"

#include <string.h>

bool metric_less_is_better(const char *unit)
{
        return strcmp(unit, "us") == 0 || strcmp(unit, "ms") == 0 || strcmp(unit, "bytes") == 0;
}

/* Whether one word of `required` holds; NAN never holds. */
static bool holds(const struct result *result, const char *what, const char *op, double figure)
{
        double value = strcmp(what, "limit") == 0  ? result->ratio_limit
                       : strcmp(what, "peer") == 0 ? result->ratio_peer
                       : strcmp(what, "over") == 0 ? result->ours - result->limit
                                                   : result->ours;

        return *op == '<' ? value <= figure : value >= figure;
}

static const char *verdict(const struct result *result)
{
        const char *at = result->required;
        char what[8], op[3];
        double figure;
        int length;

        if (!at || !*at)
                return "";
        while (sscanf(at, " %7[a-z]%2[<>=]%lf%n", what, op, &figure, &length) == 3) {
                /* A peer that is not installed cannot be lost to. */
                if (!(strcmp(what, "peer") == 0 && isnan(result->best_peer)) &&
                    !holds(result, what, op, figure))
                        return "LESS";
                at += length;
        }
        return "ok";
}

static void number(char *ret, size_t capacity, double value)
{
        if (isnan(value))
                snprintf(ret, capacity, "-");
        else if (value >= 1e9)
                snprintf(ret, capacity, "%.2f G", value / 1e9);
        else if (value >= 1e6)
                snprintf(ret, capacity, "%.2f M", value / 1e6);
        else if (value >= 1e4)
                snprintf(ret, capacity, "%.1f k", value / 1e3);
        else
                snprintf(ret, capacity, "%.*f", value < 100 ? 2 : 0, value);
}

static void table_line(FILE *to, const struct result *r)
{
        static bool headed;
        char ours[32], limit[32], peer[32], to_limit[32], to_peer[32];

        if (!headed)
                fprintf(to, "%3s %-44s %10s %10s %10s %-9s %-10s %7s %7s %4s %s\n", "row", "name",
                        "ours", "limit", "best peer", "", "unit", "/limit", "/peer", "+-", "");
        headed = true;
        number(ours, sizeof(ours), r->ours);
        number(limit, sizeof(limit), r->limit);
        number(peer, sizeof(peer), r->best_peer);
        number(to_limit, sizeof(to_limit), r->ratio_limit);
        number(to_peer, sizeof(to_peer), r->ratio_peer);
        fprintf(to, "%3d %-44s %10s %10s %10s %-9s %-10s %7s %7s %3.0f%% %s %s\n", r->row, r->name,
                ours, limit, peer, r->peer ? r->peer : "", r->unit, to_limit, to_peer,
                r->spread * 100, verdict(r), r->required ? r->required : "");
        fflush(to);
}

static void json_number(const char *key, double value)
{
        if (isfinite(value))
                printf(",\"%s\":%.6g", key, value);
        else
                printf(",\"%s\":null", key);
}

static void json_text(const char *key, const char *text)
{
        if (text && *text)
                printf(",\"%s\":\"%s\"", key, text); /* ours alone: nothing to escape */
        else
                printf(",\"%s\":null", key);
}

static void json_line(const struct result *r)
{
        printf("{\"row\":%d", r->row);
        json_text("name", r->name);
        json_number("ours", r->ours);
        json_number("limit", r->limit);
        json_number("best_peer", r->best_peer);
        json_text("peer", r->peer);
        json_text("unit", r->unit);
        json_number("ratio_limit", r->ratio_limit);
        json_number("ratio_peer", r->ratio_peer);
        json_text("required", r->required);
        printf("}\n");
        fflush(stdout);
}

void result_print(const struct options *options, const struct result *result)
{
        table_line(options->jsonl ? stderr : stdout, result);
        if (options->jsonl)
                json_line(result);
}
