/*
 * ship.pml - the protocol that ships a log to a bucket; README.md tells what is modelled
 *
 * What happens, and between which steps others may come in, is Promela. What a table holds, what a
 * fetch gives and what a shipper does next are functions in C (ship.h). The labels name the files
 * of store/remote that they follow.
 *
 * A record is a node of a tree, because copies of a store go on by themselves. A log is one number,
 * that of its last record; 0 is the empty log. A set of records is a byte of bits.
 */
#define RECORDS 7 /* at most; the environment sets the bounds of a run */
#define COMMITS 12
#define SEQS 9
#define SHIPPERS 3

#define OURS 1
#define LOOK_ANEW 2
#define FENCED 3
#define LOST 4
#define NOTHING 5
#define CHOSEN 6
#define REFUSED 7
#define TRIMMED 10

typedef Commit { /* each that was ever built; "the commit n" is made[n] */
        byte seq, term, kind;
        byte previous; /* the commit that it goes on from */
        byte end;      /* the last record that is there with it */
        byte from, to; /* what it brings: behind from, or all of the segment before to */
        byte named;    /* the commit whose checkpoint it names */
        byte nonce;    /* the commit whose nonce it has */
        byte cut;      /* what truncations cut off this history */
        byte gone;     /* the log begins behind this record */
        byte off;      /* what trims in the bucket took off this history */
        bit none       /* the end is in no segment: the log begins anew */
};
Commit made[COMMITS + 1];
byte made_count;

/* Records: the one before, the first of the segment (its salt), the segment's id, all before. */
byte record_count;
byte parent[RECORDS + 1], segment[RECORDS + 1], id[RECORDS + 1], path[RECORDS + 1];

typedef Directory {
        byte end;
        bit fresh;                   /* the next record begins a segment */
        byte top;                    /* the greatest id */
        byte lag;                    /* a full segment whose seal is not told yet */
        byte shipped, next, another; /* positions: the floor; ends that may be in the bucket */
        byte trimmed;                /* up to this record */
        byte cut, lost
};
Directory dir[2];
bit copied;
byte cuts, starts, checkpoints, trims;

/* The bucket: commits and checkpoints by seq, objects by the commit that names them. */
byte clk;
byte commit[SEQS + 1], checkpoint[SEQS + 1], checkpoint_at[SEQS + 1];
byte object[COMMITS + 1], object_at[COMMITS + 1];
byte late; /* a creation that is still under way */

typedef Shipper {
        byte last, end, known; /* the newest commit; end and checkpoint as they are in memory */
        byte confirmed;        /* the clock at the last confirmation */
        byte ours;             /* the commit to be created */
        bit none               /* nothing of the bucket's log is left before the cut */
};
Shipper ship[SHIPPERS];

byte told; /* what shippers told as shipped */

c_code { \#include "ship.h"
};

proctype world()
{
        byte d, q;

        do
        :: atomic { /* append; a segment may be full */
                record_count < c_expr { bound.records };
                if :: d = 0 :: copied -> d = 1 fi;
                if
                :: q = dir[d].fresh
                :: !dir[d].fresh -> q = 1
                :: !dir[d].fresh && dir[d].end && c_expr { bound.lag } -> q = 2
                fi;
                c_code { append(Pworld->d, Pworld->q); };
                d = 0;
                q = 0
           }
        :: d_step { /* seals are told */
                (dir[0].lag || dir[1].lag) -> dir[0].lag = 0; dir[1].lag = 0
           }
        :: atomic { /* truncate */
                cuts < c_expr { bound.cuts };
                if :: d = 0 :: copied -> d = 1 fi;
                if
                :: dir[d].end > 1 ->
                        q = parent[dir[d].end];
                        do :: parent[q] -> q = parent[q] :: break od;
                        if
                        :: c_expr { (*may_cut)(Pworld->d, Pworld->q) } ->
                                cuts++;
                                if
                                :: c_code { truncate_after(Pworld->d, Pworld->q, 0); }
                                :: c_expr { bound.lag } ->
                                        c_code { truncate_after(Pworld->d, Pworld->q, 1); }
                                fi
                        :: else
                        fi
                :: else
                fi;
                d = 0;
                q = 0
           }
        :: atomic { /* records that were not synced are lost, or were synced: then nothing is */
                c_expr { (*removed)(DURABLE) && now.dir[0].end > 1 && now.cuts < bound.cuts };
                cuts++;
                c_code { lose(0); }
           }
        :: atomic {
                !copied && c_expr { bound.copies };
                copied = 1;
                c_code { now.dir[1] = now.dir[0]; }
           }
        :: atomic {
                c_expr { bound.trims };
                if :: d = 0 :: copied -> d = 1 fi;
                if :: c_expr { (*may_trim)(Pworld->d) } -> c_code { trim(Pworld->d); } :: else fi;
                d = 0
           }
        :: d_step { clk < c_expr { bound.clock } -> clk++ }
        :: atomic { /* a request arrives after all; a second time, perhaps */
                late != 0;
                c_code { (void)create(now.late); judge(); };
                if :: late = 0 :: skip fi
           }
        od
}

#define DO(what) c_expr { what }
#define R(code) (answer == code)

proctype shipper(byte i; byte d)
{
        byte answer;

LOOK:   /* ship_take_over.c, ship_compare.c */
        atomic {
                answer = 0;
                starts < c_expr { bound.starts } -> starts++;
                c_code { Pshipper->answer = look(Pshipper->i, Pshipper->d); };
                if
                :: R(0) -> skip
                :: else -> answer = 0; goto STOP
                fi;
                DO((*can_make)(Pshipper->i));
                c_code { make_first_claim(Pshipper->i, Pshipper->d); };
                goto PUT
        }
CREATE: /* ship_commit.c; the object of a WHOLE is there */
        atomic {
                c_code { Pshipper->answer = note_next(Pshipper->i, Pshipper->d); };
                if
                :: R(0) -> goto PUT
                :: else -> answer = 0; goto LOOK
                fi
        }
PUT:
        atomic {
                if
                :: c_code { Pshipper->answer = create(now.ship[Pshipper->i].ours); judge(); };
                   if :: skip :: DO(bound.lose) -> answer = LOST fi
                :: late == 0 && DO(bound.late) -> late = ship[i].ours; answer = LOST
                :: DO(bound.kills) -> goto LOOK
                fi;
                if
                :: R(LOST) -> goto RETRY
                :: else -> c_code { Pshipper->answer = accept(Pshipper->i, Pshipper->answer); }
                fi;
                if
                :: R(OURS) ->
                        answer = 0;
                        c_code { adopt(Pshipper->i); judge(); };
                        goto NOTE
                :: R(LOOK_ANEW) -> answer = 0; goto LOOK
                :: R(FENCED) -> answer = 0; if :: goto STOP :: goto LOOK fi
                :: R(TRIMMED) && DO((*can_make)(Pshipper->i)) ->
                        answer = 0;
                        c_code { make_behind(Pshipper->i); };
                        goto PUT
                :: R(TRIMMED) && DO(!(*can_make)(Pshipper->i)) -> answer = 0; goto STOP
                fi
        }
RETRY:
        atomic {
                answer = 0;
                if
                :: DO(!(*removed)(SAME_BYTES)) -> goto PUT
                :: DO((*removed)(SAME_BYTES) && now.made_count < bound.commits) ->
                        c_code { build_anew(Pshipper->i); };
                        goto PUT
                :: goto LOOK /* killed, or out of patience */
                fi
        }
NOTE:   /* ship_place.c */
        atomic {
                if
                :: c_code { Pshipper->answer = note_shipped(Pshipper->i, Pshipper->d); };
                   if
                   :: R(0) -> goto LOOP
                   :: else -> answer = 0; goto LOOK /* truncated just now */
                   fi
                :: DO(bound.kills) -> goto LOOK
                fi
        }
LOOP:   /* ship_round.c, ship_checkpoint.c, ship_collect.c */
        atomic {
                if
                :: checkpoints < DO(bound.checkpoints) && DO((*may_checkpoint)(Pshipper->i)) ->
                        checkpoints++;
                        c_code { put_checkpoint(Pshipper->i); judge(); };
                        goto LOOP
                :: DO((*can_make)(Pshipper->i)) ->
                        c_code { Pshipper->answer = choose(Pshipper->i, Pshipper->d); judge(); };
                        if
                        :: R(NOTHING) -> answer = 0; goto LOOP
                        :: R(CHOSEN) -> answer = 0; goto CREATE
                        :: R(REFUSED) -> answer = 0; goto STOP
                        fi
                :: DO((*may_collect)(Pshipper->i)) ->
                        c_code { collect(Pshipper->i); judge(); };
                        goto LOOP
                :: DO(bound.kills) -> goto LOOK
                fi
        }
STOP:   atomic {
                c_code { memset(&now.ship[Pshipper->i], 0, sizeof(now.ship[0])); }
        }
}

proctype trimmer(byte i) /* ship_trim.c */
{
        byte answer;

LOOK:   atomic {
                answer = 0;
                trims < c_expr { bound.bucket_trims };
                c_code { look_to_trim(Ptrimmer->i); };
                if
                :: DO((*may_take_off)(Ptrimmer->i)) ->
                        trims++;
                        c_code { take_off(Ptrimmer->i); };
                        goto PUT
                :: DO((*may_collect)(Ptrimmer->i)) -> goto COLLECT
                fi
        }
PUT:    atomic {
                if
                :: c_code { Ptrimmer->answer = create(now.ship[Ptrimmer->i].ours); judge(); };
                   if :: skip :: DO(bound.lose) -> answer = LOST fi
                :: late == 0 && DO(bound.late) -> late = ship[i].ours; answer = LOST
                :: DO(bound.kills) -> goto LOOK
                fi;
                if
                :: R(LOST) -> answer = 0; if :: goto PUT :: goto LOOK fi
                :: else -> c_code { Ptrimmer->answer = accept(Ptrimmer->i, Ptrimmer->answer); }
                fi;
                if
                :: R(OURS) -> c_code { adopt_trim(Ptrimmer->i); judge(); }
                :: else -> answer = 0; goto LOOK
                fi;
                answer = 0;
                if
                :: DO((*names)(Ptrimmer->i)) -> goto COLLECT
                :: else -> skip
                fi
        }
        atomic {
                if
                :: checkpoints < DO(bound.checkpoints) && DO((*can_make)(Ptrimmer->i)) ->
                        checkpoints++;
                        c_code { put_checkpoint(Ptrimmer->i); name_it(Ptrimmer->i); judge(); };
                        goto PUT
                :: goto LOOK
                fi
        }
COLLECT: atomic {
                if
                :: DO((*may_collect)(Ptrimmer->i)) ->
                        c_code { collect(Ptrimmer->i); judge(); };
                        goto COLLECT
                :: goto LOOK
                fi
        }
}

/* remote_log.c, fetch.c: the steps between which a name may vanish */
proctype fetch()
{
        byte newest, line, seen, fetches;

AGAIN:  atomic {
                fetches < 2;
                line = 0;
                c_code { Pfetch->newest = find_newest(); };
                newest != 0
        }
        atomic {
                if
                :: DO((*is_there)(Pfetch->newest)) -> skip
                :: else -> goto MISSING
                fi
        }
STEP:   atomic {
                if
                :: DO((*line_is_there)(Pfetch->newest, Pfetch->line)) -> line++
                :: else -> goto MISSING
                fi;
                if
                :: DO(Pfetch->line <= (*line_count)(Pfetch->newest)) -> goto STEP
                :: else -> fetches++; seen = 0; goto AGAIN
                fi
        }
MISSING: atomic {
                assert(DO(!(*removed)(FETCH_AGAIN)));
                assert(newest != seen); /* nothing came that could have replaced it: damage */
                seen = newest;
                newest = 0;
                goto AGAIN
        }
}

init {
        atomic {
                c_code { begin(); };
                run world();
                run shipper(0, 0);
                if :: DO(bound.shippers > 1) -> run shipper(1, c_expr { bound.copies != 0 }) :: else fi;
                if :: DO(bound.shippers > 2) -> run shipper(2, 0) :: else fi;
                if :: DO(bound.bucket_trims) -> run trimmer(2) :: else fi;
                if :: DO(bound.fetches) -> run fetch() :: else fi
        }
}
