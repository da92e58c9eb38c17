import { describe, expect, it } from '@jest/globals';
import { HadoopProperties } from '../../hadoop/conf-dir/hadoop-properties.ts';
import { findServiceUsers } from './service-users.ts';

describe('findServiceUsers', () => {
  it.each([
    ['dfs.namenode.kerberos.principal', 'hdpnn/_HOST@R', ['hdpnn']],
    ['dfs.secondary.namenode.kerberos.principal', 'hdpsn/host@R', ['hdpsn']],
    ['dfs.datanode.kerberos.principal', ' hdpdn@R ', ['hdpdn']],
    ['dfs.journalnode.kerberos.principal', 'hdpjn', ['hdpjn']],
    ['dfs.web.authentication.kerberos.principal', 'HTTP/_HOST@R', ['HTTP']],
    ['yarn.resourcemanager.principal', 'hdprm/_HOST@R', ['hdprm']],
    ['hadoop.proxyuser.gateway.hosts', '*', ['gateway']],
    ['hadoop.proxyuser.gate.way.groups', 'staff', ['gate.way']],
    ['hadoop.proxyuser.gateway.users', 'alice', ['gateway']],
    ['dfs.namenode.kerberos.principal', '${nobody.set.this}/_HOST@R', []],
    ['dfs.web.authentication.kerberos.principal', '*', []],
    ['dfs.namenode.kerberos.principal', '@R', []],
    ['dfs.namenode.kerberos.principal.pattern', 'alice', []],
    ['hadoop.proxyuser.*.hosts', '*', []],
    ['hadoop.proxyuser.gateway.colour', 'x', []],
    ['hadoop.proxyuser..hosts', '*', []],
    ['xhadoop.proxyuser.gateway.hosts', '*', []],
  ])('of %s = %s', (name, value, expected) => {
    expect(findServiceUsers(HadoopProperties.of({ [name]: value }))).toEqual(expected);
  });

  it('names each once', () => {
    const properties = { 'dfs.namenode.kerberos.principal': 'b@R', 'dfs.datanode.kerberos.principal': 'b@R' };
    expect(findServiceUsers(HadoopProperties.of({ ...properties, 'hadoop.proxyuser.a.hosts': '*' }))).toEqual(
      ['a', 'b'],
    );
  });
});
