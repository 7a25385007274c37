/** Written by `npm run client` from the schemas of the gateway: do not edit. */

export interface components {
    schemas: {
        /** @description How books compare with independent reads */
        AuditHealth: {
            /** @description Books that are to be audited now */
            books: number;
            /** @description Comparisons with an independent read that found no difference */
            equal: number;
            /** @description Differences that prove nothing against the book, by why */
            explained: {
                [key: string]: number;
            };
            /** @description Reads that nothing explains, first and second ones */
            mismatch: number;
            /** @description Books that two reads in a row contradicted */
            confirmed: number;
            /** @description Reads for audits that failed as a whole */
            failedReads: number;
            /** @description Reads beside the stream, round after round, by no audit */
            polls: {
                /** @description Reads that were answered */
                reads: number;
                /** @description Reads that failed as a whole */
                failed: number;
                /** @description Books that they gave */
                books: number;
                /** @description Of these the ones that equalled the live book */
                equal: number;
                /** @description Of these the ones that did not, mostly since one of the two was a moment ahead */
                differing: number;
            };
            ageMs: {
                /** @description Median, milliseconds */
                p50: number;
                /** @description 99th percentile, milliseconds */
                p99: number;
                /** @description Longest, milliseconds */
                max: number;
            } | null;
        };
        /** @description The circuit breaker around one REST host or one connection’s dialling */
        BreakerHealth: {
            /**
             * @description open: nothing is tried for a while; half_open: one trial is under way
             * @enum {string}
             */
            state: "closed" | "open" | "half_open";
            /** @description Times that it opened */
            opened: number;
            /** @description Calls that were answered */
            successes: number;
            /** @description Calls that failed */
            failures: number;
            /** @description Calls that it did not let through */
            rejected: number;
            changedAt: string | null;
        };
        /** @description The cache in Redis */
        CacheHealth: {
            /** @description Markets written */
            written: number;
            /** @description Markets whose keys were kept from expiring */
            refreshed: number;
            /** @description Markets whose last change is not confirmed by Redis */
            pending: number;
            /** @description Writes that failed */
            writeFailures: number;
            /** @description Reads that found something */
            hits: number;
            /** @description Reads that found nothing */
            misses: number;
            /** @description Reads that failed */
            readFailures: number;
        };
        /** @description One connection to a venue */
        ConnectionHealth: {
            /** @description Which connection */
            name: string;
            /**
             * @description waiting: backing off before the next attempt; refused: the venue rejected our credentials
             * @enum {string}
             */
            state: "idle" | "connecting" | "open" | "waiting" | "refused" | "stopped";
            /** @description Markets subscribed on it */
            markets: number;
            connectedAt: string | null;
            lastMessageAt: string | null;
            /** @description Messages received on it */
            messages: number;
            /** @description Times that it was opened again after a loss */
            reconnects: number;
            lastError: string | null;
            breaker: components["schemas"]["BreakerHealth"];
        };
        /** @description The full status */
        Health: {
            /**
             * @description starting: a venue never synchronised; degraded: a connection is not open, a venue refused us, a circuit breaker is not closed, Redis is away, or a replica lags
             * @enum {string}
             */
            status: "ok" | "degraded" | "starting";
            /**
             * Format: date-time
             * @description When the process started to serve; UTC, ISO 8601 with milliseconds
             */
            startedAt: string;
            /** @description Time since then, milliseconds */
            uptimeMs: number;
            /** @description Every venue that is run */
            venues: components["schemas"]["VenueHealth"][];
            incidents: components["schemas"]["IncidentsHealth"];
            /** @description The process itself */
            process: {
                /** @description Resident memory, bytes */
                residentBytes: number;
                /** @description JavaScript heap in use, bytes */
                heapUsedBytes: number;
                /** @description Buffers and typed arrays, bytes */
                arrayBufferBytes: number;
                /** @description Mean event-loop delay since the last look, milliseconds */
                eventLoopDelayMeanMs: number;
                /** @description 99th percentile of the event-loop delay since the last look, milliseconds */
                eventLoopDelayP99Ms: number;
                /** @description Longest event-loop delay since the last look, milliseconds */
                eventLoopDelayMaxMs: number;
            };
            /** @description The memory of the books */
            store: {
                /** @description Markets served */
                markets: number;
                /** @description Markets that there is room for */
                capacityMarkets: number;
                /** @description Order-book levels in use or ready for reuse */
                levelsReserved: number;
                /** @description Order-book levels that there is room for */
                capacityLevels: number;
            };
            validation: components["schemas"]["ValidationHealth"];
            history: components["schemas"]["HistoryHealth"] | null;
            stream: components["schemas"]["StreamHealth"];
            replication: components["schemas"]["ReplicationHealth"] | null;
            replay: components["schemas"]["ReplayHealth"] | null;
        };
        /** @description How recording is doing */
        HistoryHealth: {
            engine: ("pglite" | "postgres") | null;
            /**
             * @description away: the database does not answer, rows wait
             * @enum {string}
             */
            state: "opening" | "well" | "away" | "stopped";
            error: string | null;
            /** @description Age of the oldest row that waits for the database, milliseconds */
            lagMs: number;
            /** @description Changes that no row was made of yet */
            pending: number;
            /** @description Rows that wait for the database */
            waiting: number;
            /** @description Rows written since the start */
            written: number;
            /** @description Snapshots whose place a newer one of their market took */
            conflated: number;
            /** @description Rows given up for want of room */
            dropped: number;
            /** @description Writes that failed */
            failures: number;
            /** @description Snapshots recorded, by cause */
            snapshotsByCause: {
                [key: string]: number;
            };
            /** @description Gaps that are not over */
            openGaps: number;
            /** @description What became of gaps */
            gapFiller: {
                /** @description Looks at open gaps */
                runs: number;
                /** @description Gaps that were closed, by how */
                closed: {
                    [key: string]: number;
                };
                /** @description Gaps that nothing can close */
                unrecoverable: number;
                successRate: number | null;
            };
            /** @description The raw journal of each venue, and that of the books */
            journals: {
                [key: string]: components["schemas"]["JournalHealth"];
            };
        };
        /** @description Something that went wrong at a venue */
        Incident: {
            /** @description Number of the incident since the start */
            id: number;
            /**
             * Format: date-time
             * @description When it was seen; UTC, ISO 8601 with milliseconds
             */
            at: string;
            /** @description At which venue */
            venue: string;
            /** @description What happened, as a stable code such as drift or sequence_gap */
            kind: string;
            marketId: string | null;
            connection: string | null;
            /** @description What happened, in a sentence */
            detail: string;
            sample: string | null;
            endedAt: string | null;
        };
        /** @description What went wrong at the venues */
        IncidentsHealth: {
            /** @description Incidents since the start, listed or not */
            total: number;
            /** @description Incidents since the start, by venue and kind */
            byVenueAndKind: {
                [key: string]: {
                    [key: string]: number;
                };
            };
            /** @description The latest 20, newest first; the same at the same place is listed once a minute */
            latest: components["schemas"]["Incident"][];
        };
        /** @description How one journal is doing */
        JournalHealth: {
            /**
             * @description ok: it is written; disk_full, failed: nothing is written, and it is tried again
             * @enum {string}
             */
            state: "ok" | "disk_full" | "failed" | "stopped";
            /** @description Records taken in since the start */
            records: number;
            /** @description Their bytes, before compression */
            bytes: number;
            /** @description Bytes written to files */
            bytesWritten: number;
            /** @description Bytes taken in and not yet written */
            pendingBytes: number;
            /** @description Age of the oldest record that is not on the disk, milliseconds */
            lagMs: number;
            /** @description Files begun */
            segments: number;
            /** @description Stretches in which records were lost */
            holes: number;
            /** @description Records lost */
            lostRecords: number;
        };
        /** @description Which part of the markets is read here */
        LeasesHealth: {
            /** @description This process, as the others know it */
            member: string;
            /** @description Ingest processes that share the markets */
            members: number;
            /** @description Shards that this process writes */
            held: number;
            /** @description Shards that fall to this process */
            share: number;
        };
        /** @description One price and the total size resting there */
        Level: {
            /** @description Dollars per contract, 0 to 1, at most 4 decimals */
            price: string;
            /** @description Contracts resting at that price, at most 6 decimals */
            size: string;
        };
        /** @description Which silences were deaths */
        LivenessHealth: {
            /** @description Connections that are silent now and not yet found quiet */
            silent: number;
            /** @description Times that a connection was unusually silent */
            silences: number;
            /** @description Silent connections that were only quiet */
            quietConnections: number;
            /** @description Silent connections that were dead */
            deadConnections: number;
            /** @description Markets audited because they were unusually silent */
            asked: number;
            /** @description Silent markets that were only quiet */
            quietMarkets: number;
            /** @description Silent markets that were dead */
            deadMarkets: number;
        };
        /** @description The top of one outcome’s book */
        Quote: {
            bestBid: string | null;
            bestBidSize: string | null;
            bestAsk: string | null;
            bestAskSize: string | null;
            mid: string | null;
            spread: string | null;
        };
        /** @description Quotes of both outcomes; NO is derived from YES */
        Quotes: {
            /** @description True when the verdict is live; otherwise the last known quotes, flagged */
            usable: boolean;
            yes: components["schemas"]["Quote"];
            no: components["schemas"]["Quote"];
        };
        /** @description How the losses of connections went */
        RecoveryHealth: {
            /** @description Connections that were open and were lost */
            losses: number;
            /** @description Losses after which every book was whole again */
            recovered: number;
            lastMs: number | null;
            maxMs: number | null;
            /** @description Books that were subscribed again after losses */
            resubscribed: number;
        };
        /** @description The connection to Redis */
        RedisHealth: {
            /**
             * @description waiting: it is tried again; refused: it does not take our user or password
             * @enum {string}
             */
            state: "connecting" | "ready" | "waiting" | "refused" | "stopped";
            lastError: string | null;
            /** @description Times that it was reached */
            connects: number;
        };
        /** @description How far the replay of a journal is */
        ReplayHealth: {
            /**
             * @description finished: all of the range was applied, and its last state is served
             * @enum {string}
             */
            state: "running" | "finished";
            /** @description Records of the journal that were applied */
            records: number;
            /** @description Stretches of which records are lost, damaged or missing: with each the books of its venue wait for their next snapshot */
            holes: number;
            receivedAt: string | null;
            digest: string | null;
        };
        /** @description How a replica follows its writers */
        ReplicaHealth: {
            /** @description Every shard was filled once */
            filled: boolean;
            /** @description Shards that were */
            filledShards: number;
            /** @description Shards that are further behind than REPLICA_LAG_MAX_MS */
            laggingShards: number;
            lagMs: number | null;
            /** @description Entries read */
            entries: number;
            /** @description Changes of markets in them */
            changes: number;
            /** @description Times that something was found missing */
            gaps: number;
            /** @description Shards filled from their whole books: at the start, and after gaps */
            fills: number;
            /** @description Entries that were not understood */
            unreadable: number;
            /** @description Markets that MAX_MARKETS_PER_VENUE leaves no room for */
            withoutRoom: number;
        };
        /** @description What this process does with Redis; null without REDIS_URL */
        ReplicationHealth: {
            /**
             * @description The setting ROLE
             * @enum {string}
             */
            role: "all" | "ingest" | "api";
            /** @description Parts that the markets are divided into */
            shards: number;
            redis: components["schemas"]["RedisHealth"];
            leases: components["schemas"]["LeasesHealth"] | null;
            writer: components["schemas"]["ReplicationWriterHealth"] | null;
            replica: components["schemas"]["ReplicaHealth"] | null;
            cache: components["schemas"]["CacheHealth"];
            /** @description Markets served here by the state of their verdict */
            booksByState: {
                [key: string]: number;
            };
        };
        /** @description What is written for replicas */
        ReplicationWriterHealth: {
            /** @description Entries written */
            entries: number;
            /** @description Writes that failed and were made again */
            failures: number;
            /** @description Writes that Redis refused because the shard is another’s now */
            fenced: number;
            /** @description Trades that were told to no replica, because Redis was away for too long */
            lostTrades: number;
            /** @description Age of the oldest change that Redis has not confirmed, milliseconds */
            backlogMs: number;
        };
        /** @description One host that is asked over REST */
        RestHostHealth: {
            /** @description Which host */
            name: string;
            /** @description Requests made */
            requests: number;
            /** @description Requests that failed */
            failures: number;
            /** @description Requests made again */
            retries: number;
            lastError: string | null;
            breaker: components["schemas"]["BreakerHealth"];
            /** @description The present pace, in the tokens that the venue counts; it falls with 429 and slow answers */
            tokensPerSecond: number;
            /** @description The pace when all is well */
            tokensPerSecondMax: number;
        };
        /** @description A whole book, or what changed of it */
        StreamBook: {
            /** @description kalshi:<ticker> or polymarket:<condition id> */
            id: string;
            /** @description Raised by every change of the book, its verdict or its market */
            version: number;
            previous: number | null;
            /** @description YES bids. Whole: all levels, best first. Change: the new size at each changed price, in no order; size 0: gone */
            bids: components["schemas"]["Level"][];
            /** @description YES asks, as bids */
            asks: components["schemas"]["Level"][];
            verdict: components["schemas"]["Verdict"];
        };
        /** @description Channel book: every book that changed since the message before */
        StreamChange: {
            /** @constant */
            type: "change";
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
            /** @description One more than that of the message before of this topic, save after a `lag` */
            seq: number;
            /** @description Ids of markets that belong to this subscription no longer: forget them. Apply before the rest */
            removed?: string[];
            /** @description One for each market */
            books: components["schemas"]["StreamBook"][];
        };
        /** @description The top of a book; it replaces what you hold */
        StreamDepth: {
            /** @description kalshi:<ticker> or polymarket:<condition id> */
            id: string;
            /** @description Raised by every change of the book, its verdict or its market */
            version: number;
            /** @description The best YES bids, best first */
            bids: components["schemas"]["Level"][];
            /** @description The best YES asks, best first */
            asks: components["schemas"]["Level"][];
            verdict: components["schemas"]["Verdict"];
        };
        /** @description Channel depth: the tops of the books that changed */
        StreamDepthMessage: {
            /** @constant */
            type: "depth";
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
            /** @description One more than that of the message before of this topic, save after a `lag` */
            seq: number;
            /** @description Ids of markets that belong to this subscription no longer: forget them. Apply before the rest */
            removed?: string[];
            /** @description One for each market */
            depth: components["schemas"]["StreamDepth"][];
        };
        /** @description A command was refused; the connection goes on */
        StreamError: {
            /** @constant */
            type: "error";
            /** @description The name that you gave the subscription */
            id?: string;
            /**
             * @description A stable code for programs
             * @enum {string}
             */
            code: "BAD_JSON" | "BAD_MESSAGE" | "UNKNOWN_OP" | "UNKNOWN_CHANNEL" | "MARKET_NOT_FOUND" | "EVENT_NOT_FOUND" | "ID_IN_USE" | "UNKNOWN_ID" | "ALREADY_SUBSCRIBED" | "TOO_MANY_SUBSCRIPTIONS" | "TOO_MANY_TOPICS" | "TOO_MANY_CLIENTS";
            /** @description One sentence for people: what is wrong and what to do */
            message: string;
        };
        /** @description Markets that match all of it, as in GET /v1/markets; markets enter and leave as they change */
        StreamFilter: {
            /**
             * @description An exchange that Crossbook reads
             * @enum {string}
             */
            venue?: "kalshi" | "polymarket";
            /**
             * @description pending: not open yet; open: trading; halted: trading is paused; closed: trading has ended; settled: paid out
             * @enum {string}
             */
            status?: "pending" | "open" | "halted" | "closed" | "settled";
            /**
             * @description syncing: no snapshot yet; live: in sequence and connected; stale: the connection is down, polling overdue, or a replica too far behind; suspect: a message was lost or not understood, or a proof failed; halted: the venue paused trading; closed: trading has ended
             * @enum {string}
             */
            state?: "syncing" | "live" | "stale" | "suspect" | "halted" | "closed";
            /**
             * @description Whether the book comes from the venue’s stream or from polling its REST API
             * @enum {string}
             */
            source?: "websocket" | "poll";
            /** @description Text that occurs in the title or the symbol, in any case */
            q?: string;
        };
        /** @description How the streams are doing */
        StreamHealth: {
            /** @description Clients that are connected */
            clients: number;
            /** @description Clients taken in since the start */
            clientsTotal: number;
            /** @description Clients that there was no place for */
            clientsRefused: number;
            /** @description Subscriptions of all clients */
            subscriptions: number;
            /** @description Different questions that are answered, or kept for who may come back */
            topics: number;
            /** @description Markets that any of them is about */
            activeMarkets: number;
            /** @description Messages kept for who missed them, bytes */
            ringBytes: number;
            /** @description What waits for clients to read it, bytes; shared bytes are counted for each */
            waitingBytes: number;
            /** @description Messages sent, to each client one */
            messagesSent: number;
            /** @description Their bytes */
            bytesSent: number;
            /** @description Times that what a market has to say was written, for whatever number of clients */
            serialized: number;
            /** @description Times that a client had messages left out */
            lags: number;
            /** @description Times that a client had to begin anew */
            resyncs: number;
            /** @description Times that a client went on where it had been */
            resumed: number;
            /** @description Clients closed because they read too slowly, by their own policy */
            closedSlow: number;
            /** @description Messages of clients that were not understood */
            badMessages: number;
            /** @description Exceptions on the way out; each was caught */
            failures: number;
            /** @description What became of tickers */
            tickers: {
                /** @description Tickers put into messages */
                published: number;
                /** @description Changes of a market that waited for the same ticker as an earlier change; counted for each group of subscribers, as tickers are */
                conflated: number;
                /** @description Tickers that must not go out */
                withheld: number;
                /** @description out_of_bounds, bid_not_below_ask, not_complementary; not_live: only in the form summary, which has no verdict */
                withheldByReason: {
                    [key: string]: number;
                };
                /** @description Tickers that could not be written or sent; each is tried again */
                failed: number;
                /** @description Markets whose tickers are told */
                activeMarkets: number;
            };
        };
        /** @description Channel health */
        StreamHealthMessage: {
            /** @constant */
            type: "health";
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
            /** @description One more than that of the message before of this topic, save after a `lag` */
            seq: number;
            health: components["schemas"]["Health"];
        };
        /** @description You read too slowly: these messages are left out for you. The latest state of what they concerned follows in `snapshot` messages; trades among them are lost to this connection */
        StreamLag: {
            /** @constant */
            type: "lag";
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
            /** @description First `seq` that is left out */
            from: number;
            /** @description Last `seq` that is left out; the next message has one more */
            to: number;
            /** @description Ids of markets that belong to this subscription no longer: forget them. Apply before the rest */
            removed?: string[];
        };
        /** @description Asks for a `pong`, to see that we are alive */
        StreamPing: {
            /** @constant */
            op: "ping";
        };
        /** @description The answer to a `ping` */
        StreamPong: {
            /** @constant */
            type: "pong";
            /**
             * Format: date-time
             * @description Our clock; UTC, ISO 8601 with milliseconds
             */
            at: string;
        };
        /** @description Where you were when the connection was lost; without a whole state, an epoch that was never told. Markets and an event that are served no longer are left out, not refused */
        StreamResume: {
            /** @description As `subscribed` told it */
            epoch: string;
            /** @description The last `seq` that you have applied */
            seq: number;
        };
        /** @description What you hold of this subscription is void: forget it, the whole state follows in `snapshot` messages */
        StreamResync: {
            /** @constant */
            type: "resync";
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
            /** @description The position that the state is of: the next message of this topic has one more */
            seq: number;
            /**
             * @description too_old: the messages after yours are gone; other_epoch: the numbering is another one, as after a restart; unknown_seq: there was no such message yet; too_slow: more was left out than a `lag` can tell
             * @enum {string}
             */
            reason: "too_old" | "other_epoch" | "unknown_seq" | "too_slow";
        };
        /** @description Bid, ask and volume of one outcome, as numbers */
        StreamSideStats: {
            bid: number | null;
            ask: number | null;
            volume: number | null;
        };
        /** @description The state of some markets: after `subscribed`, `lag` or `resync`, in as many messages as it takes, with live messages in between. Exactly one of books, depth, tickers and health is there, as the channel has it; trades have no state */
        StreamSnapshot: {
            /** @constant */
            type: "snapshot";
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
            /** @description The position that the state is of: the next message of this topic has one more */
            seq: number;
            /** @description Markets that are still to be told; at 0 you have the whole state, and may resume from here on */
            remaining: number;
            /** @description One for each market */
            books?: components["schemas"]["StreamBook"][];
            /** @description One for each market */
            depth?: components["schemas"]["StreamDepth"][];
            /** @description One for each market */
            tickers?: (components["schemas"]["StreamTicker"] | components["schemas"]["StreamSummary"])[];
            health?: components["schemas"]["Health"];
        };
        /** @description Asks for a channel of some markets, or to go on where a lost connection ended */
        StreamSubscribe: {
            /** @constant */
            op: "subscribe";
            /** @description Your own name for the subscription, unique on this connection */
            id: string;
            /**
             * @description ticker: quotes of both outcomes, conflated; book: the whole book, then every change; depth: the top of the book, conflated at the rate you choose; trades: each trade; health: the status of the gateway
             * @enum {string}
             */
            channel: "ticker" | "book" | "depth" | "trades" | "health";
            /** @description Market ids, each of them served now or, with `resume`, then */
            markets?: string[];
            /** @description Id of an event: its markets */
            event?: string;
            /**
             * @description An exchange that Crossbook reads
             * @enum {string}
             */
            venue?: "kalshi" | "polymarket";
            filter?: components["schemas"]["StreamFilter"];
            /** @description Levels a side; only for the channel depth; 10 by default */
            depth?: number;
            /** @description Shortest time between two messages, ms; only for the channels depth (1000 by default) and health (5000) */
            intervalMs?: number;
            /**
             * @description Only for the channel ticker: crossbook (default), or the compatibility form summary
             * @enum {string}
             */
            form?: "crossbook" | "summary";
            /**
             * @description What happens when you read too slowly. conflate (default): a `lag` message, then the latest state; disconnect: the connection is closed with 4000
             * @enum {string}
             */
            policy?: "conflate" | "disconnect";
            resume?: components["schemas"]["StreamResume"];
        };
        /** @description A subscription is made */
        StreamSubscribed: {
            /** @constant */
            type: "subscribed";
            /** @description The name that you gave the subscription */
            id: string;
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
            /**
             * @description ticker: quotes of both outcomes, conflated; book: the whole book, then every change; depth: the top of the book, conflated at the rate you choose; trades: each trade; health: the status of the gateway
             * @enum {string}
             */
            channel: "ticker" | "book" | "depth" | "trades" | "health";
            /** @description Stands for this numbering: give it back, with the last `seq`, to resume */
            epoch: string;
            /** @description The next message of this topic has one more */
            seq: number;
            /** @description True: every message after yours follows. False: forget what you hold, the state follows */
            resumed: boolean;
            /** @description Markets that belong to it now */
            markets: number;
        };
        /** @description The compatibility form of a ticker: JSON numbers, and only of books whose verdict is live, since it has no place for one */
        StreamSummary: {
            /** @description kalshi:<ticker> or polymarket:<condition id> */
            market_id: string;
            /**
             * @description An exchange that Crossbook reads
             * @enum {string}
             */
            platform: "kalshi" | "polymarket";
            /** @description Both outcomes */
            summary_stats: {
                yes: components["schemas"]["StreamSideStats"];
                no: components["schemas"]["StreamSideStats"];
            };
            /**
             * Format: date-time
             * @description Our clock when it was put together; UTC, ISO 8601 with milliseconds
             */
            timestamp: string;
        };
        /** @description Quotes of both outcomes, and how far to trust them */
        StreamTicker: {
            /** @description kalshi:<ticker> or polymarket:<condition id> */
            id: string;
            /** @description Raised by every change of the book, its verdict or its market */
            version: number;
            quotes: components["schemas"]["Quotes"];
            volume: string | null;
            volume24h: string | null;
            verdict: components["schemas"]["Verdict"];
        };
        /** @description Channel ticker: the tickers that changed */
        StreamTickers: {
            /** @constant */
            type: "tickers";
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
            /** @description One more than that of the message before of this topic, save after a `lag` */
            seq: number;
            /** @description Ids of markets that belong to this subscription no longer: forget them. Apply before the rest */
            removed?: string[];
            /** @description One for each market */
            tickers: (components["schemas"]["StreamTicker"] | components["schemas"]["StreamSummary"])[];
        };
        /** @description One trade, in YES terms */
        StreamTrade: {
            /** @description kalshi:<ticker> or polymarket:<condition id> */
            id: string;
            tradeId: string | null;
            venueTime: string | null;
            /**
             * Format: date-time
             * @description Our clock when it came; UTC, ISO 8601 with milliseconds
             */
            receivedAt: string;
            /** @description Dollars per contract, YES terms */
            price: string;
            /** @description Contracts */
            size: string;
            takerSide: ("yes" | "no") | null;
        };
        /** @description Channel trades */
        StreamTrades: {
            /** @constant */
            type: "trades";
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
            /** @description One more than that of the message before of this topic, save after a `lag` */
            seq: number;
            /** @description Oldest first */
            trades: components["schemas"]["StreamTrade"][];
        };
        /** @description Ends a subscription */
        StreamUnsubscribe: {
            /** @constant */
            op: "unsubscribe";
            /** @description Your own name for the subscription, unique on this connection */
            id: string;
        };
        /** @description A subscription has ended; nothing more comes of it */
        StreamUnsubscribed: {
            /** @constant */
            type: "unsubscribed";
            /** @description The name that you gave the subscription */
            id: string;
            /** @description Which subscription it is for, as `subscribed` told it */
            topic: number;
        };
        /** @description The check of our own answers */
        ValidationHealth: {
            /**
             * @description Which answers are checked against their schema
             * @enum {string}
             */
            mode: "off" | "sample" | "all";
            /** @description Answers checked */
            checked: number;
            /** @description Answers that did not match their schema */
            failed: number;
            /** @description Failed answers by operationId */
            failuresByRoute: {
                [key: string]: number;
            };
        };
        /** @description How one venue is doing */
        VenueHealth: {
            /**
             * @description An exchange that Crossbook reads
             * @enum {string}
             */
            venue: "kalshi" | "polymarket";
            /**
             * @description How books reach us
             * @enum {string}
             */
            source: "websocket" | "poll";
            /** @description The first synchronisation is done */
            synced: boolean;
            note: string | null;
            lastMessageAt: string | null;
            /** @description Messages a second over the last minute */
            messagesPerSecond: number;
            /** @description Every connection to the venue */
            connections: components["schemas"]["ConnectionHealth"][];
            /** @description Markets served */
            markets: number;
            /** @description Markets by the state of their verdict */
            booksByState: {
                [key: string]: number;
            };
            /** @description Markets by the reason for which they are not live */
            booksByReason: {
                [key: string]: number;
            };
            /** @description The look for new and ended markets */
            discovery: {
                lastAt: string | null;
                /** @description Markets that the last discovery selected */
                selected: number;
                lastError: string | null;
            };
            /** @description The REST side of the venue */
            rest: {
                /** @description REST requests made */
                requests: number;
                /** @description REST requests that failed */
                failures: number;
                /** @description REST requests made again */
                retries: number;
                lastError: string | null;
                /** @description Each host of the venue */
                hosts: components["schemas"]["RestHostHealth"][];
            };
            recovery: components["schemas"]["RecoveryHealth"];
            audit: components["schemas"]["AuditHealth"] | null;
            liveness: components["schemas"]["LivenessHealth"] | null;
            proofs: {
                [key: string]: number;
            } | null;
            /** @description What became of the frames */
            counters: {
                /** @description Frames received */
                frames: number;
                /** @description Frames that changed a book or a market */
                applied: number;
                /** @description Frames, or elements of them, that changed nothing, by reason */
                ignored: {
                    [key: string]: number;
                };
                /** @description Which of the readings that the protocol leaves open occurred */
                seen: {
                    [key: string]: number;
                };
            };
        };
        /** @description How far the book can be trusted, and why */
        Verdict: {
            /**
             * @description syncing: no snapshot yet; live: in sequence and connected; stale: the connection is down, polling overdue, or a replica too far behind; suspect: a message was lost or not understood, or a proof failed; halted: the venue paused trading; closed: trading has ended
             * @enum {string}
             */
            state: "syncing" | "live" | "stale" | "suspect" | "halted" | "closed";
            reason: string | null;
            /**
             * @description Whether the book comes from the venue’s stream or from polling its REST API
             * @enum {string}
             */
            source: "websocket" | "poll";
            sequence: number | null;
            venueTime: string | null;
            receivedAt: string | null;
            verifiedAt: string | null;
            /** @description Proofs failed since the start */
            mismatches: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type AuditHealth = components['schemas']['AuditHealth']
export type BreakerHealth = components['schemas']['BreakerHealth']
export type CacheHealth = components['schemas']['CacheHealth']
export type ConnectionHealth = components['schemas']['ConnectionHealth']
export type Health = components['schemas']['Health']
export type HistoryHealth = components['schemas']['HistoryHealth']
export type Incident = components['schemas']['Incident']
export type IncidentsHealth = components['schemas']['IncidentsHealth']
export type JournalHealth = components['schemas']['JournalHealth']
export type LeasesHealth = components['schemas']['LeasesHealth']
export type Level = components['schemas']['Level']
export type LivenessHealth = components['schemas']['LivenessHealth']
export type Quote = components['schemas']['Quote']
export type Quotes = components['schemas']['Quotes']
export type RecoveryHealth = components['schemas']['RecoveryHealth']
export type RedisHealth = components['schemas']['RedisHealth']
export type ReplayHealth = components['schemas']['ReplayHealth']
export type ReplicaHealth = components['schemas']['ReplicaHealth']
export type ReplicationHealth = components['schemas']['ReplicationHealth']
export type ReplicationWriterHealth = components['schemas']['ReplicationWriterHealth']
export type RestHostHealth = components['schemas']['RestHostHealth']
export type StreamBook = components['schemas']['StreamBook']
export type StreamChange = components['schemas']['StreamChange']
export type StreamDepth = components['schemas']['StreamDepth']
export type StreamDepthMessage = components['schemas']['StreamDepthMessage']
export type StreamError = components['schemas']['StreamError']
export type StreamFilter = components['schemas']['StreamFilter']
export type StreamHealth = components['schemas']['StreamHealth']
export type StreamHealthMessage = components['schemas']['StreamHealthMessage']
export type StreamLag = components['schemas']['StreamLag']
export type StreamPing = components['schemas']['StreamPing']
export type StreamPong = components['schemas']['StreamPong']
export type StreamResume = components['schemas']['StreamResume']
export type StreamResync = components['schemas']['StreamResync']
export type StreamSideStats = components['schemas']['StreamSideStats']
export type StreamSnapshot = components['schemas']['StreamSnapshot']
export type StreamSubscribe = components['schemas']['StreamSubscribe']
export type StreamSubscribed = components['schemas']['StreamSubscribed']
export type StreamSummary = components['schemas']['StreamSummary']
export type StreamTicker = components['schemas']['StreamTicker']
export type StreamTickers = components['schemas']['StreamTickers']
export type StreamTrade = components['schemas']['StreamTrade']
export type StreamTrades = components['schemas']['StreamTrades']
export type StreamUnsubscribe = components['schemas']['StreamUnsubscribe']
export type StreamUnsubscribed = components['schemas']['StreamUnsubscribed']
export type ValidationHealth = components['schemas']['ValidationHealth']
export type VenueHealth = components['schemas']['VenueHealth']
export type Verdict = components['schemas']['Verdict']
