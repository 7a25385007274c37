// Plain JavaScript: tsx does not load TypeScript in worker threads on Node 20.
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

const { folder, listen } = workerData
const database = await PGlite.create({ dataDir: folder })
// One client is served at a time; more may connect, since a closed connection lingers for a moment.
const server = new PGLiteSocketServer({ db: database, maxConnections: 8, ...listen })
await server.start()

parentPort.on('message', async () => {
  await server.stop()
  await database.close()
  parentPort.close()
})
parentPort.postMessage({ address: server.getServerConn() })
