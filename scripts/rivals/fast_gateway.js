// npm's fast-gateway as a plain proxy: node fast_gateway.js PORT UPSTREAM
'use strict'

const [port, upstream] = process.argv.slice(2)
const gateway = require('fast-gateway')
gateway({ routes: [{ prefix: '/api_v1', prefixRewrite: '/api_v1', target: `http://${upstream}` }] }).start(Number(port), '127.0.0.1')
