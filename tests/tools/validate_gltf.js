// SPDX-License-Identifier: Apache-2.0
// validate_gltf.js FILE: what gltf-validator says about a .glb or .gltf; exit 1 on errors or warnings.
'use strict';
const fs = require('fs');
const path = require('path');
const validator = require('gltf-validator');

const file = process.argv[2];
const folder = path.dirname(file);
validator
  .validateBytes(new Uint8Array(fs.readFileSync(file)), {
    uri: path.basename(file),
    externalResourceFunction: (uri) =>
      Promise.resolve(new Uint8Array(fs.readFileSync(path.join(folder, decodeURIComponent(uri))))),
  })
  .then((report) => {
    const { numErrors, numWarnings, messages } = report.issues;
    console.log(`errors ${numErrors} warnings ${numWarnings}`);
    console.log(JSON.stringify(report.info));
    for (const message of messages) {
      if (message.severity < 2) console.log(`${message.code} ${message.pointer}: ${message.message}`);
    }
    process.exit(numErrors + numWarnings > 0 ? 1 : 0);
  })
  .catch((error) => {
    console.error(String(error));
    process.exit(2);
  });
