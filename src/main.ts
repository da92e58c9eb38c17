#!/usr/bin/env node
import { createProgram, runProgram } from './commands/run-program.ts';

const exitCode = await runProgram(createProgram(), process.argv.slice(2));
if (exitCode !== 0) process.exitCode = exitCode;
